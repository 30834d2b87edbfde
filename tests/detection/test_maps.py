import numpy as np
import pytest
from PIL import Image

from fanogan_tf.detection.maps import inside, overlay, save_maps


def test_residual_is_exact(tmp_path):
    residual = np.array([[0.0, 2.0, 1.0], [0.5, 2 / 65535, 2 * 1234 / 65535]], np.float32)[None, ..., None]
    save_maps(tmp_path / "maps", {"name": np.array(["a.png"]), "image": np.zeros((1, 2, 3, 1))}, {"residual": residual})
    image = Image.open(tmp_path / "maps" / "a.png.residual.png")
    assert image.mode == "I;16"
    # 32767.5 and 16383.75, rounded.
    np.testing.assert_array_equal(np.array(image), [[0, 65535, 32768], [16384, 1, 1234]])
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["a.png.overlay.png", "a.png.residual.png"]


def test_maps_of_the_critics_view(tmp_path):
    """1,024 levels for 1; what is beyond 64 is white."""
    maps = {"block_map": np.array([[0.0, 1.0, 2.5]]), "normality_map": np.array([[0.001, 63.99, 70.0]])}
    measured = {name: values[None, ..., None].astype(np.float32) for name, values in maps.items()}
    batch = {"name": np.array(["a"]), "image": np.zeros((1, 1, 3, 1))}
    save_maps(tmp_path, batch, measured | {"residual": np.zeros((1, 1, 3, 1))})
    expected = {"blocks": [[0, 1024, 2560]], "normality": [[1, 65526, 65535]]}
    for ending, levels in expected.items():
        np.testing.assert_array_equal(np.array(Image.open(tmp_path / f"a.{ending}.png")), levels)


def test_overlay_colours():
    image = np.array([[-1.0, 0.0, 1.0, 1.0, -1.0]])[..., None]
    share = np.array([[0.0, 0.0, 0.25, 0.5, 0.9]])
    # Untouched grey; half way from white to red; all red from half the scale on.
    expected = [[[0, 0, 0], [128, 128, 128], [255, 144, 144], [255, 32, 32], [255, 32, 32]]]
    np.testing.assert_array_equal(overlay(image, share), expected)


def test_overlay_file(tmp_path):
    images = np.array([-1.0, 1.0], np.float32)[:, None, None, None] * np.ones((2, 3, 2, 1), np.float32)
    residual = np.array([0.0, 1.0], np.float32)[:, None, None, None] * np.ones((2, 3, 2, 1), np.float32)
    save_maps(tmp_path, {"name": np.array(["a", "b"]), "image": images}, {"residual": residual})
    black, red = (np.array(Image.open(tmp_path / f"{stem}.overlay.png")) for stem in ("a", "b"))
    assert black.shape == (3, 2, 3) and not black.any()
    assert np.all(red == [255, 32, 32])


def test_unequal_numbers_are_refused(tmp_path):
    with pytest.raises(ValueError):
        save_maps(tmp_path, {"name": ["a", "b"], "image": np.zeros((2, 2, 2, 1))}, {"residual": np.zeros((1, 2, 2, 1))})


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/b.png@0,64", "a/b.png@0,64"),
        ("digits/00012", "digits/00012"),
        ("/data/x y.png", "data/x y.png"),
        ("../../etc/passwd", "__/__/etc/passwd"),
        ("./Ärzte-1.tif", "Ärzte-1.tif"),
    ],
)
def test_maps_stay_inside_their_folder(name, path):
    assert str(inside(name)) == path


@pytest.mark.parametrize(("one", "other"), [("a/b.png", "a_b.png"), ("../a.png", "a.png"), ("a@1", "a_1")])
def test_two_images_never_share_a_file(tmp_path, one, other):
    batch = {"name": np.array([one, other]), "image": np.zeros((2, 2, 2, 1), np.float32)}
    save_maps(tmp_path, batch, {"residual": np.array([0.0, 1.0])[:, None, None, None] * np.ones((2, 2, 2, 1))})
    assert len(list(tmp_path.rglob("*.residual.png"))) == 2
