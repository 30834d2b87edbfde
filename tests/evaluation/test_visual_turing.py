import csv
import types

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from fanogan_tf.data import pixels as sheets
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import visual_turing


def _cells(pixels: np.ndarray, count: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Finds the images on a sheet by its layout: (N, H, W) images and (N, ..) the strips with their numbers."""
    height, width = size
    found, numbers = [], []
    for place in range(count):
        top, left = 12 + place // 10 * (height + 36), 12 + place % 10 * (width + 12)
        found.append(pixels[top + 24 : top + 24 + height, left : left + width])
        numbers.append(pixels[top : top + 24, left : left + width])
    return np.stack(found), np.stack(numbers)


def _images(seed: int, count: int, shape=(32, 32)) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.1, 1.1, (count, *shape, 1)).astype(np.float32)


def test_every_image_is_there_once_as_the_key_says():
    real, generated = _images(0, 13), _images(1, 12)
    pixels, key = visual_turing.sheet(real, generated, seed=3)
    assert [row["number"] for row in key] == list(range(1, 26))
    cells, numbers = _cells(pixels, 25, (128, 128))
    small = cells[:, ::4, ::4]
    np.testing.assert_array_equal(np.kron(small, np.ones((1, 4, 4))), cells)  # sharp: whole pixels of one factor
    for kind, images in (("real", real), ("generated", generated)):
        shown = small[[row["kind"] == kind for row in key]]
        expected = sheets.to_grey(images)[..., 0]
        assert {image.tobytes() for image in shown} == {image.tobytes() for image in expected} and len(shown) == len(images)
    # Its number over every image; nothing else on the paper.
    for number, strip in enumerate(numbers, start=1):
        expected = Image.new("L", (128, 24), 255)
        ImageDraw.Draw(expected).text((0, 20), str(number), fill=0, font=ImageFont.load_default(18), anchor="ls")
        np.testing.assert_array_equal(strip, expected)
    blank = pixels.copy()
    for place in range(25):
        top, left = 12 + place // 10 * 164, 12 + place % 10 * 140
        blank[top : top + 152, left : left + 128] = 255
    assert (blank == 255).all()


def test_nothing_but_the_order_depends_on_the_kind():
    images = _images(0, 20)
    one, key = visual_turing.sheet(images[:10], images[10:], seed=1)
    other, swapped = visual_turing.sheet(images[:5], images[5:], seed=1)
    np.testing.assert_array_equal(one, other)
    assert key != swapped


def test_the_order_is_seeded_and_mixed():
    images = _images(0, 100, (8, 8))
    _, key = visual_turing.sheet(images[:50], images[50:], seed=1)
    assert key == visual_turing.sheet(images[:50], images[50:], seed=1)[1]
    assert key != visual_turing.sheet(images[:50], images[50:], seed=2)[1]
    first_half = [row["kind"] for row in key[:50]].count("real")
    assert 15 <= first_half <= 35


def test_large_and_oblong_images_keep_their_shape():
    pixels, _ = visual_turing.sheet(_images(0, 1, (200, 100)), _images(1, 1, (200, 100)), seed=0)
    assert pixels.shape == (200 + 24 + 24, 10 * 112 + 12)


def _held_out(count: int) -> ImageSet:
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    names = np.array([str(i) for i in range(count)])
    return ImageSet(images, np.zeros(count, np.int64), names, names)


def _detector(calls=None, prior="normal"):
    def generate(z):
        assert z.dtype == np.float32 and len(z) <= 16
        if calls is not None:
            calls.append(z)
        return np.zeros((len(z), 4, 4, 1), np.float32)

    return types.SimpleNamespace(
        shown=lambda images: images,
        latent_dim=50,
        generate=generate,
        spec=types.SimpleNamespace(shown=lambda images: images, prior=prior),
    )


def test_real_ones_are_drawn_once_and_codes_are_normal():
    calls = []
    real, generated = visual_turing.images(_detector(calls), _held_out(60), 50, seed=5)
    assert real.shape == generated.shape == (50, 4, 4, 1)
    assert len(np.unique(real[:, 0, 0, 0])) == 50
    z = np.concatenate(calls)
    assert z.shape == (50, 50) and abs(z.mean()) < 0.1 and abs(z.std() - 1) < 0.1
    again, other = (visual_turing.images(_detector(), _held_out(60), 50, seed=seed)[0] for seed in (5, 6))
    assert np.array_equal(real, again) and not np.array_equal(real, other)


def test_codes_are_of_the_generators_own_prior():
    calls = []
    visual_turing.images(_detector(calls, "uniform"), _held_out(60), 50, seed=5)
    z = np.concatenate(calls)
    assert np.abs(z).max() <= 1.0 and abs(z.std() - 1 / np.sqrt(3)) < 0.03


def test_more_than_there_are():
    assert len(visual_turing.images(_detector(), _held_out(7), 7, seed=0)[0]) == 7
    with pytest.raises(UserError, match=r"--images_per_kind=8: only 7 normal images were held out"):
        visual_turing.images(_detector(), _held_out(7), 8, seed=0)


def test_files(tmp_path):
    pixels, key = visual_turing.sheet(_images(0, 3), _images(1, 3), seed=0)
    (tmp_path / "other.txt").write_text("kept")
    visual_turing.write(tmp_path, pixels, key)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key.csv", "other.txt", "sheet.png"]
    with open(tmp_path / "key.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [{"number": str(row["number"]), "kind": row["kind"]} for row in key]
    with Image.open(tmp_path / "sheet.png") as image:
        # No text chunk or palette that would tell.
        assert image.mode == "L" and not image.info
        np.testing.assert_array_equal(np.asarray(image), pixels)


def test_a_note_stands_above_the_images_and_moves_them():
    real, generated = np.full((2, 16, 16, 1), -1.0), np.full((2, 16, 16, 1), -1.0)
    plain, noted = (visual_turing.sheet(real, generated, 0, note)[0] for note in ("", "synthetic phantom"))
    added = len(noted) - len(plain)
    assert added > 0 and noted[:added].min() < 128
    np.testing.assert_array_equal(noted[added + 4 :], plain[4:])
