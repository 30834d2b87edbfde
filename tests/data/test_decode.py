import os

import numpy as np
import pytest
from PIL import Image

from fanogan_tf.data.decode import find_images, read_image
from fanogan_tf.errors import UserError
from tests.helpers.oct_files import write_dicom

EIGHT = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
SIXTEEN = np.arange(35, dtype=np.uint16).reshape(5, 7) * 1871


def saved(path, image, **settings):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **settings)
    return path


@pytest.mark.parametrize("extension", ["png", "tif", "bmp", "TIFF"])
def test_eight_bits_become_sixteen_exactly(tmp_path, extension):
    image = read_image(saved(tmp_path / f"a.{extension}", EIGHT))
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, EIGHT.astype(np.uint16) * 257)


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_sixteen_bits_are_kept(tmp_path, extension):
    image = read_image(saved(tmp_path / f"a.{extension}", SIXTEEN))
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, SIXTEEN)


def test_big_endian_tiff(tmp_path):
    saved(tmp_path / "a.tif", Image.frombytes("I;16B", (7, 5), SIXTEEN.astype(">u2").tobytes()))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), SIXTEEN)


def test_mode_i(tmp_path):
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.tif", SIXTEEN.astype(np.int32))), SIXTEEN)


@pytest.mark.parametrize("value", [-1, 65536])
def test_mode_i_out_of_range_is_refused(tmp_path, value):
    saved(tmp_path / "a.tif", np.full((3, 3), value, np.int32))
    with pytest.raises(UserError, match=r"a.tif: .*outside 0 .. 65535"):
        read_image(tmp_path / "a.tif")


def test_float_is_refused(tmp_path):
    saved(tmp_path / "f.tif", np.zeros((3, 3), np.float32))
    with pytest.raises(UserError, match=r"f.tif: .*floating-point.*8- or 16-bit"):
        read_image(tmp_path / "f.tif")


def test_colour_becomes_luminance(tmp_path):
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    expected = np.array([[76, 150, 29, 255]]) * 257
    for mode in ("RGB", "RGBA", "P"):
        image = Image.fromarray(colours)
        if mode == "RGBA":
            image.putalpha(100)
        elif mode == "P":
            image = image.quantize(4)
        np.testing.assert_array_equal(read_image(saved(tmp_path / f"{mode}.png", image)), expected, err_msg=mode)


def test_colour_jpeg(tmp_path):
    saved(tmp_path / "a.jpeg", np.full((16, 24, 3), (200, 100, 50), np.uint8), quality=95)
    image = read_image(tmp_path / "a.jpeg")
    assert image.shape == (16, 24)
    np.testing.assert_allclose(image / 257, 0.299 * 200 + 0.587 * 100 + 0.114 * 50, atol=3)


def test_other_modes(tmp_path):
    bits = EIGHT > 100
    np.testing.assert_array_equal(read_image(saved(tmp_path / "bits.png", bits)), bits * 65535)
    grey_alpha = Image.fromarray(EIGHT)
    grey_alpha.putalpha(0)
    np.testing.assert_array_equal(read_image(saved(tmp_path / "la.png", grey_alpha)), EIGHT * np.uint16(257))
    cmyk = Image.fromarray(np.dstack([EIGHT] * 3)).convert("CMYK")
    np.testing.assert_array_equal(read_image(saved(tmp_path / "cmyk.tif", cmyk)), EIGHT * np.uint16(257))


@pytest.mark.parametrize(("extension", "pixels"), [("jpg", EIGHT), ("png", SIXTEEN), ("tif", SIXTEEN)])
def test_orientation_is_applied_once(tmp_path, extension, pixels):
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned clockwise for viewing.
    plain = read_image(saved(tmp_path / f"plain.{extension}", pixels))
    turned = read_image(saved(tmp_path / f"turned.{extension}", pixels, exif=exif))
    np.testing.assert_array_equal(turned, np.rot90(plain, -1))


@pytest.mark.parametrize("extension", ["png", "jpg", "tif", "bmp"])
def test_truncated_file(tmp_path, extension):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
    path = saved(tmp_path / f"cut.{extension}", noise)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(UserError, match=rf"^\S*cut.{extension}: unreadable image \(.+\); .*--skip_unreadable$"):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"II*\x00\x08\x00\x00\x00\xff\xff"])
def test_no_image(tmp_path, content):
    (tmp_path / "no.png").write_bytes(content)
    with pytest.raises(UserError, match=r"no.png: unreadable image .*--skip_unreadable$"):
        read_image(tmp_path / "no.png")


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"gone.png: unreadable image \(No such file"):
        read_image(tmp_path / "gone.png")


def test_pages_are_not_lost_silently(tmp_path):
    first, second = Image.fromarray(EIGHT), Image.fromarray(EIGHT)
    first.save(tmp_path / "pages.tif", save_all=True, append_images=[second])
    with pytest.raises(UserError, match=r"pages.tif: .*2 pages"):
        read_image(tmp_path / "pages.tif")


def test_decompression_bomb(tmp_path, monkeypatch):
    saved(tmp_path / "bomb.png", np.zeros((50, 50), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UserError, match=r"bomb.png: .*bomb"):
        read_image(tmp_path / "bomb.png")


def test_find_images(tmp_path):
    for name in ("b.PNG", "a.jpg", "sub/deep/c.Tiff", "sub/d.bmp", "notes.txt", ".hidden.png", ".cache/e.png", "png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a.jpg", "b.PNG", "sub/d.bmp", "sub/deep/c.Tiff"]


def test_find_images_follows_links_but_not_in_circles(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").touch()
    (tmp_path / "root").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "root" / "linked")
    os.symlink(tmp_path / "root", tmp_path / "elsewhere" / "back")
    assert find_images(tmp_path / "root") == [tmp_path / "root" / "linked" / "a.png"]


def test_dicom_by_its_extension(tmp_path):
    image = read_image(write_dicom(tmp_path / "chest.dcm", SIXTEEN))
    np.testing.assert_array_equal(image, SIXTEEN)
    assert find_images(tmp_path) == [tmp_path / "chest.dcm"]
