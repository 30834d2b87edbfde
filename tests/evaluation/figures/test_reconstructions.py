import numpy as np
import pytest

from fanogan_tf.data.patches import PatchArray
from fanogan_tf.evaluation.figures import image_rows
from tests.helpers.fakes import FakeDetector, FakeTest, make_table, table_of


def _texts(figure):
    return [t.get_text() for t in figure.texts]


def test_kinds_worked_by_hand():
    table = make_table([1, 3, 1, 3, 3], [0, 0, 1, 1, 1], ["a"] * 5, 2.0)
    found = list(image_rows.kinds(table).values())
    assert [rows.tolist() for rows in found] == [[0], [1], [3, 4], [2]]
    table = make_table([1, 3, 3], [-1, -1, -1], [""] * 3, 2.0)
    assert [rows.tolist() for rows in image_rows.kinds(table).values()] == [[0], [1, 2]]


def test_choice_is_seeded_and_within_its_kind():
    rows = {"many": np.arange(100, 200), "few": np.array([7, 9]), "none": np.array([], np.int64)}
    chosen = image_rows.choose(rows, 1)
    assert len(set(chosen["many"].tolist())) == 8 and set(chosen["many"]) <= set(rows["many"])
    assert chosen["few"].tolist() == [7, 9]
    assert not len(chosen["none"])
    assert chosen["many"].tolist() == image_rows.choose(rows, 1)["many"].tolist()
    assert chosen["many"].tolist() != image_rows.choose(rows, 2)["many"].tolist()


@pytest.mark.parametrize("masks", [False, True])
def test_rows_scores_and_images(masks):
    test = FakeTest(masks=masks)
    detector = FakeDetector(test)
    table = table_of(test, detector)
    order = np.random.default_rng(0).permutation(len(test))  # the table in another order than the images
    shuffled = make_table(table.score[order], table.label[order], table.class_name[order], detector.calibration.threshold)
    looked = image_rows.look(shuffled, order, detector, test, seed=3)
    figure = image_rows.reconstructions(shuffled, looked, note="synthetic phantom")
    assert "synthetic phantom" in _texts(figure)

    found = image_rows.kinds(shuffled)
    filled = [(name, rows) for name, rows in image_rows.choose(found, 3).items() if len(rows)]
    per_block = 4 if masks else 3
    *plots, bar = figure.axes
    assert len(plots) == per_block * len(filled)
    assert bar.get_ylabel() == "residual |x - G(E(x))|"
    for i, (name, rows) in enumerate(filled):
        assert f"{name}: {len(rows)} of {len(found[name])}" in _texts(figure)
        block = plots[i * per_block : (i + 1) * per_block]
        assert [t.get_text() for t in block[0].texts[1:]] == [f"{score:.3g}" for score in shuffled.score[rows]]
        images = test.float_images(order[rows])
        shown = [plot.images[0].get_array().filled(np.nan) for plot in block]
        np.testing.assert_array_equal(shown[0], image_rows.strip(images, 8))
        np.testing.assert_allclose(shown[2], image_rows.strip(np.abs(images - detector.measure(images)["reconstruction"]), 8))
        if masks:
            np.testing.assert_array_equal(shown[3], image_rows.strip(test.masks[order[rows]], 8))
    residuals = plots[2::per_block]
    assert len({plot.images[0].get_clim() for plot in residuals}) == 1  # one shared scale


def test_masks_that_are_cut_on_demand():
    test = FakeTest(masks=True)
    detector, places = FakeDetector(test), np.zeros((len(test), 4), int)
    places[:, 1] = np.arange(len(test))
    cut = PatchArray([test.masks[..., 0]], places, test.image_shape[:2])
    positions = np.array([7, 3, 3])
    expected = image_rows._rows_of_images(positions, detector, test)["mask"]
    test.masks = cut
    np.testing.assert_array_equal(image_rows._rows_of_images(positions, detector, test)["mask"], expected)


def test_pixels_are_square():
    test = FakeTest()
    detector = FakeDetector(test)
    table = table_of(test, detector)
    figure = image_rows.reconstructions(table, image_rows.look(table, np.arange(60), detector, test, seed=0))
    plot = figure.axes[0]
    height, width = plot.images[0].get_array().shape
    assert plot.get_window_extent().width / width == pytest.approx(plot.get_window_extent().height / height)


def test_empty_kinds_say_none():
    test = FakeTest()
    detector = FakeDetector(test)
    scores = table_of(test, detector).score
    detector.calibration.threshold = 1e9
    table = make_table(scores, test.labels, test.class_names, 1e9)
    figure = image_rows.reconstructions(table, image_rows.look(table, np.arange(60), detector, test, seed=0))
    assert _texts(figure).count("none") == 2
