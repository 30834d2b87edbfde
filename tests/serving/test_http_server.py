"""A real server in a process of its own, and several clients at once."""

import http.client
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import orjson
import pytest

from fanogan_tf.errors import UserError
from fanogan_tf.serving import http_server
from tests.helpers import served_models as made
from tests.helpers.commands import start
from tests.helpers.served_models import b64, png

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(exported):
    """(host, port) of a server of the exported model."""
    process = start("serve", f"--model={exported}", "--port=0")
    line = process.stdout.readline()
    assert line.startswith(f"serving {exported / '1'}: http://127.0.0.1:"), process.stderr.read()
    assert line.endswith("/v1/models/digits:predict\n")
    yield "127.0.0.1", int(line.split(":")[3].split("/")[0])
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in errors, errors  # No client's mistake left one.


def ask(server, body, path="/v1/models/digits:predict", **headers):
    """Status and answer."""
    connection = http.client.HTTPConnection(*server, timeout=300)
    try:
        connection.request("POST", path, body if isinstance(body, (bytes, str)) else orjson.dumps(body), headers)
        response = connection.getresponse()
        return response.status, orjson.loads(response.read())
    finally:
        connection.close()


def scores(server, images):
    status, answer = ask(server, {"instances": images.tolist()})
    assert status == 200, answer
    return np.float32([row["score"] for row in answer["predictions"]])


@pytest.fixture(scope="module")
def images():
    return made.test_set().images


def test_the_same_figures_as_the_model(server, served, images):
    status, answer = ask(server, {"inputs": {"image": images[:70].tolist()}})
    expected = served(images[:70])
    assert status == 200 and answer["outputs"].keys() == expected.keys()
    for name, values in answer["outputs"].items():
        np.testing.assert_allclose(np.array(values), expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    assert [type(value) for value in answer["outputs"]["anomalous"][:1]] == [bool]


def test_files(server, served, images):
    status, answer = ask(server, {"instances": [b64(png(image)) for image in images[:9]], "signature_name": "serving_bytes"})
    assert status == 200
    found = [row["score"] for row in answer["predictions"]]
    np.testing.assert_allclose(found, served(images[:9])["score"], rtol=1e-5)


def test_clients_at_once_each_get_their_own(server, served, images):
    expected = served(images[:400])["score"]

    def client(number):
        mine = range(number, 400, 80)
        return [scores(server, images[place : place + 1 + number % 3])[0] / expected[place] for place in mine]

    with ThreadPoolExecutor(8) as clients:
        np.testing.assert_allclose(list(clients.map(client, range(80))), 1.0, rtol=1e-5)


def test_ten_thousand_images_in_one_request(server, served, images):
    many = np.concatenate([images] * 6)[:10_000]
    expected = np.concatenate([served(images)["score"]] * 6)[:10_000]
    np.testing.assert_allclose(scores(server, many), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "line 1 column 1"),
        ("{", "line 1 column 2"),
        (b"\xff\xfe", "utf-8"),
        ("null", "JSON object"),
        ({"instances": [[[1, 2], [3, 4]]]}, "expected (batch, 16, 16, 1), got (1, 2, 2)"),
        ({"instances": ["text"]}, "expected numbers"),
        ({"instances": np.full((1, *made.SHAPE), -1).tolist()}, "grey levels must be in [0, 255]"),
        ({"instances": [b64(b"\x89PNG\r\n\x1a\n")], "signature_name": "serving_bytes"}, "Invalid PNG"),
        ({"instances": [b64(b"hello")], "signature_name": "serving_bytes"}, "neither PNG nor JPEG"),
        ({"instances": [], "signature_name": "none"}, "no signature 'none'"),
    ],
)
@pytest.mark.parametrize(
    "headers", [{}, {"content-type": "application/json"}, {"content-type": "application/json; charset=utf-8"}]
)
def test_bad_requests_are_told_why_and_the_next_one_is_served(server, served, images, body, said, headers):
    status, answer = ask(server, body, **headers)
    assert status == 400 and said.lower() in answer["error"].lower(), answer
    np.testing.assert_allclose(scores(server, images[:1]), served(images[:1])["score"], rtol=1e-5)


def test_an_empty_batch(server):
    assert ask(server, {"instances": []}) == (200, {"predictions": []})


def test_another_model(server):
    status, answer = ask(server, {"instances": []}, "/v1/models/other:predict")
    assert status == 404 and "other" in answer["error"]


def test_it_listens_on_this_machine_alone(server):
    with socket.create_server(("127.0.0.2", server[1])):  # Taken, had it asked for all addresses.
        pass


def test_a_port_that_is_taken(server, exported):
    with pytest.raises(UserError, match=f"--port={server[1]}: cannot listen there .*; take another port"):
        http_server.serve(exported, "", *server)


def test_no_model(tmp_path):
    with pytest.raises(UserError, match=r"fanogan export"):
        http_server.serve(tmp_path, "", "127.0.0.1", 0)


def test_without_kserve(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "kserve", None)  # As if it were not installed.
    with pytest.raises(UserError, match=r"^fanogan serve: needs kserve: pip install 'fanogan_tf\[serving\]'$"):
        http_server.serve(exported, "", "127.0.0.1", 0)
