from itertools import pairwise

import numpy as np
import pytest

from fanogan_tf.evaluation.figures import image_rows
from tests.helpers.fakes import digit_images


def _made(count: int, methods: int):
    images, digits = digit_images(count)
    restored = {f"method {i}": np.clip(images * (0.9 - 0.1 * i), -1.0, 1.0) for i in range(methods)}
    return images, [str(digit) for digit in digits], restored


def _shown(plot) -> list[np.ndarray]:
    return [image.get_array().filled(np.nan) for image in plot.images]


def test_rows_show_what_they_say():
    images, titles, restored = _made(8, 2)
    figure = image_rows.restorations(images, titles, restored, "synthetic phantom")
    top, *rows, bar = figure.axes
    assert [text.get_text() for text in top.texts] == ["input", *titles]
    assert [row.texts[0].get_text() for row in rows] == ["method 0", "residual", "method 1", "residual"]
    assert "synthetic phantom" in [text.get_text() for text in figure.texts]
    np.testing.assert_array_equal(_shown(top)[0], image_rows.strip(images, 8))
    for i, some in enumerate(restored.values()):
        (seen,) = _shown(rows[2 * i])
        under, over = _shown(rows[2 * i + 1])
        np.testing.assert_array_equal(seen, image_rows.strip(some, 8))
        np.testing.assert_array_equal(under, image_rows.strip(images, 8))
        np.testing.assert_allclose(over, image_rows.strip(np.abs(images - some), 8), atol=1e-6)
    assert len({row.images[1].get_clim() for row in rows[1::2]}) == 1  # one scale for all
    assert "|x - G(z)|" in bar.get_ylabel()


def test_no_residual_leaves_the_image_as_it_is():
    images, titles, _ = _made(8, 0)
    figure = image_rows.restorations(images, titles, {"perfect": images.copy()})
    over = figure.axes[2].images[1]
    assert not over.to_rgba(over.get_array())[..., 3].any()


def test_masks_are_outlined_on_the_input_and_on_every_residual():
    images, titles, restored = _made(9, 2)
    masks = np.zeros_like(images)
    masks[4, 3:9, 5:11] = 1
    masks[8, :, :4] = 1  # at the edge: closed there too
    figure = image_rows.restorations(images, titles, restored, masks=masks)
    outlined = [plot for plot in figure.axes[:-1] if plot.collections]
    assert outlined == [figure.axes[0], figure.axes[2], figure.axes[4]]
    lines = figure.axes[0].collections[0].get_paths()[0].to_polygons(closed_only=False)
    assert len(lines) == 2
    step = 16 + image_rows.gap(16)
    edges = [(4 * step + 5, 4 * step + 10, 3, 8), (8 * step, 8 * step + 3, 0, 15)]  # first and last column, first and last row
    for line, (left, right, upper, lower) in zip(sorted(lines, key=lambda points: points[0, 0]), edges, strict=True):
        assert (line[0] == line[-1]).all()
        assert (line[:, 0].min(), line[:, 0].max()) == (left - 0.5, right + 0.5)
        assert (line[:, 1].min(), line[:, 1].max()) == (upper - 0.5, lower + 0.5)
    assert not image_rows.restorations(images, titles, restored, masks=0 * masks).axes[0].collections


@pytest.mark.parametrize(("count", "methods", "shape"), [(8, 0, (8, 8)), (8, 1, (8, 8)), (16, 10, (64, 64)), (12, 3, (32, 64))])
def test_any_size_has_square_pixels_and_room_for_all(count, methods, shape):
    images = np.random.default_rng(0).uniform(-1, 1, (count, *shape, 1))
    restored = {f"a method with a long name, the {i}th": 0.5 * images for i in range(methods)}
    figure = image_rows.restorations(images, ["a title that is too long"] * count, restored, "a note " * 30, images > 0.99)
    figure.savefig("/dev/null", format="png")
    rows = figure.axes[: 1 + 2 * methods]
    for row in rows:
        height, width = row.images[0].get_array().shape
        assert row.get_window_extent().width / width == pytest.approx(row.get_window_extent().height / height)
    boxes = [plot.get_tightbbox() for plot in figure.axes] + [text.get_window_extent() for text in figure.texts]
    for i, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:i])
    names = [text.get_window_extent() for text in rows[0].texts[1:]]
    assert all(one.x1 < other.x0 for one, other in pairwise(names))
