import numpy as np
import pytest

from fanogan_tf.serving import rest
from tests.helpers import served_models as made
from tests.helpers.served_models import b64, png

IMAGE = np.full(made.SHAPE, 7).tolist()


def test_rows_and_columns_with_and_without_the_name(served):
    forms = [{"instances": [IMAGE]}, {"instances": [{"image": IMAGE}]}, {"inputs": [IMAGE]}, {"inputs": {"image": [IMAGE]}}]
    for payload in forms:
        request = rest.parse(served, payload)
        assert request.signature == "serving_default" and request.in_rows == ("instances" in payload)
        assert request.values["image"].dtype == np.float32
        np.testing.assert_array_equal(request.values["image"], [IMAGE])


def test_encoded_images(served):
    contents = [b"one", b"another\0"]
    for payload in (
        {"instances": list(map(b64, contents))},
        {"instances": [{"image_bytes": b64(content)} for content in contents]},
        {"inputs": {"image_bytes": list(map(b64, contents))}},
    ):
        request = rest.parse(served, {**payload, "signature_name": "serving_bytes"})
        assert request.values["image_bytes"].tolist() == contents


def test_none(served):
    assert rest.parse(served, {"instances": []}).values["image"].shape == (0, *made.SHAPE)
    assert rest.parse(served, {"instances": [], "signature_name": "serving_bytes"}).values["image_bytes"].shape == (0,)


BYTES = {"signature_name": "serving_bytes"}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ([IMAGE], "must be a JSON object"),
        ({}, 'either "instances" or "inputs"'),
        ({"instances": [IMAGE], "inputs": [IMAGE]}, 'either "instances" or "inputs"'),
        ({"instances": [IMAGE], "signature": "encode"}, "unknown key 'signature'"),
        (
            {"instances": [IMAGE], "signature_name": "classify"},
            "no signature 'classify'; there are encode, generate, serving_bytes",
        ),
        ({"instances": [IMAGE], "signature_name": ["encode"]}, "no signature"),
        ({"instances": IMAGE[0][0][0]}, "instances must be a list"),
        ({"instances": [{"picture": IMAGE}]}, "an instance has 'picture'; the input is 'image'"),
        ({"inputs": {}}, "inputs has nothing; the input is 'image'"),
        ({"instances": [IMAGE[:15]]}, "expected (batch, 16, 16, 1), got (1, 15, 16, 1)"),
        ({"instances": IMAGE}, "expected (batch, 16, 16, 1), got (16, 16, 1)"),
        ({"instances": [IMAGE, IMAGE[:15]]}, "rows of different lengths"),
        ({"instances": ["a picture"]}, "expected numbers"),
        ({"instances": [np.full(made.SHAPE, "7").tolist()]}, "expected numbers"),
        ({"instances": [np.full(made.SHAPE, True).tolist()]}, "expected numbers"),
        ({"instances": [np.full(made.SHAPE, None).tolist()]}, "expected numbers"),
        ({"inputs": None}, "expected numbers"),
        ({"inputs": 5}, "got ()"),
        ({**BYTES, "instances": ["iVBORw0KGgo="]}, '{"b64": "..."}'),
        ({**BYTES, "instances": [{"b64": 5}]}, '{"b64": "..."}'),
        ({**BYTES, "instances": [{"b64": "aGFs!bG8="}]}, "no base64"),
        ({**BYTES, "instances": [{"b64": "abc"}]}, "no base64"),
        ({**BYTES, "inputs": {"b64": "abcd"}}, "expected a list"),
    ],
)
def test_what_is_wrong_with_a_request(served, payload, said):
    with pytest.raises(rest.BadRequest) as caught:
        rest.parse(served, payload)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("signature", "values", "said"),
    [
        ("serving_default", np.full((3, *made.SHAPE), 256.0), "image: grey levels must be in [0, 255]"),
        ("serving_bytes", np.array([b"GIF89a"], object), "image_bytes: neither PNG nor JPEG"),
        ("serving_bytes", np.array([png(made.test_set().images[0])[:80]], object), "Invalid PNG data, size 80"),
    ],
)
def test_what_the_graph_refuses(served, signature, values, said):
    with pytest.raises(rest.BadRequest) as caught:
        rest.run(served, signature, dict.fromkeys(served.inputs[signature], values))
    assert str(caught.value) == said


def test_reasons_also_where_the_graph_tells_where():
    message = "Graph execution error:\n\nDetected at node Assert defined at\nassertion failed: [too dark]\n\t [[{{node Assert}}]]"
    assert rest._reason(message) == "too dark"
    assert rest._reason("{{function_node __inference_1}} Invalid PNG\n\t [[{{node x}}]]") == "Invalid PNG"


def test_answers(served):
    outputs = served(made.test_set().images[:2])
    in_rows = rest.answer(rest.Request("serving_default", np.zeros(2), in_rows=True), outputs)["predictions"]
    assert [row["score"] for row in in_rows] == outputs["score"].tolist() and in_rows[0].keys() == outputs.keys()
    assert rest.answer(rest.Request("serving_default", np.zeros(2), in_rows=False), outputs) == {"outputs": outputs}


def test_a_lone_output_goes_without_its_name():
    latent = np.array([[1.0, 2.0], [3.0, 4.0]])
    in_rows = rest.answer(rest.Request("encode", {"latent": latent}, in_rows=True), {"latent": latent})["predictions"]
    np.testing.assert_array_equal(in_rows, latent)
    assert rest.answer(rest.Request("encode", {"latent": latent}, in_rows=False), {"latent": latent})["outputs"] is latent


def test_a_row_of_an_encoded_image_is_what_its_pixels_are(served):
    pixels = made.test_set().images[:3]
    contents = np.array([png(image) for image in pixels], object)
    np.testing.assert_array_equal(rest.run(served, "serving_bytes", {"image_bytes": contents})["score"], served(pixels)["score"])
