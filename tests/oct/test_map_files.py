import dataclasses
import gzip
import sys

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from fanogan_tf.errors import UserError
from fanogan_tf.oct.map_files import en_face_picture, nifti, save_volume_maps
from fanogan_tf.oct.preparation import PreparedVolume

_SHAPE = (3, 10, 8)
_SPACING = (0.12, 0.004, 0.023)
_BLACK, _BRIGHTEST = (tuple(int(v) for v in colormaps["inferno"](share, bytes=True)[:3]) for share in (0.0, 1.0))


def volume(name="normal/a.vol", eye="OS"):
    """Three B-scans of 10 rows and 8 columns; the second was left out."""
    top, bottom = np.full((2, 4), 3), np.array([[7, 7, 8, 8], [6, 6, 6, 6]])
    areas = np.zeros((2, 4, 4), np.uint16)
    left_out = ((1, "all its pixels have one value"),)
    return PreparedVolume(name, eye, _SHAPE, _SPACING, areas, np.array([0, 2]), top, bottom, left_out)


def some_maps():
    return volume().in_scanner_geometry(np.random.default_rng(0).random((2, 4, 4)).astype(np.float32) + np.float32(0.1))


def test_files(tmp_path):
    data = np.arange(240, dtype=np.uint8).reshape(_SHAPE)
    save_volume_maps(tmp_path, volume("../normal/a.vol"), data, some_maps())
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    folder = "__/normal/a.vol"
    assert found == [
        f"{folder}.en_face.png",
        f"{folder}.residual.nii.gz",
        f"{folder}/bscan_000.overlay.png",
        f"{folder}/bscan_002.overlay.png",
    ]


def test_overlays_show_the_scan_and_its_residual(tmp_path):
    # The volume's grey values go from 100 to 300: B-scan 2 has only its middle.
    data = np.full(_SHAPE, 200, np.uint16)
    data[1, 0, 0], data[0, 0, 0], data[0, 9, 7] = 100, 100, 300
    maps = np.zeros(_SHAPE, np.float32)
    maps[2, 3, 5], maps[2, 4, 5], maps[2, 5, 5] = 0.5, 1.0, 1.7
    save_volume_maps(tmp_path, volume(), data, maps)
    first, third = (np.array(Image.open(tmp_path / f"normal/a.vol/bscan_00{scan}.overlay.png")) for scan in (0, 2))
    assert first.shape == third.shape == (10, 8, 3)
    assert first[0, 0].tolist() == [0, 0, 0] and first[9, 7].tolist() == [255, 255, 255]
    # Half way from middle grey to red, then all red.
    assert third[3, 5].tolist() == [192, 80, 80]
    assert third[4, 5].tolist() == third[5, 5].tolist() == [255, 32, 32]
    third[3:6, 5] = 128
    assert (third == 128).all()


def test_overlays_of_float_data(tmp_path):
    data = np.zeros(_SHAPE, np.float32)
    data[2, 0] = 0.001
    save_volume_maps(tmp_path, volume(), data, np.zeros(_SHAPE, np.float32))
    third = np.array(Image.open(tmp_path / "normal/a.vol/bscan_002.overlay.png"))
    assert (third[0] == 255).all() and not third[1:].any()


def test_en_face_picture():
    maps = np.zeros(_SHAPE, np.float32)
    maps[0, 2:6, 3] = 0.5  # The brightest colour.
    maps[2, 2:6, 5] = [0.5, 0.0, 0.0, 0.5]  # Half of it.
    picture = en_face_picture(volume(), maps)
    # 0.12 mm between B-scans of columns that are 0.023 mm apart: 5 rows each. The first B-scan is the lowest.
    assert picture.shape == (15, 8, 3) and picture.dtype == np.uint8
    half = tuple(int(v) for v in colormaps["inferno"](0.5, bytes=True)[:3])
    expected = np.full((15, 8, 3), _BLACK)
    expected[5:10] = 128  # Left out.
    expected[10:, 3] = _BRIGHTEST
    expected[:5, 5] = half
    np.testing.assert_array_equal(picture, expected)


def test_en_face_picture_of_scans_closer_than_columns():
    near = dataclasses.replace(volume(), spacing=(0.005, 0.004, 0.023))
    assert en_face_picture(near, np.zeros(_SHAPE, np.float32)).shape == (3, 8, 3)


def test_en_face_file_is_the_picture(tmp_path):
    maps = some_maps()
    save_volume_maps(tmp_path, volume(), np.arange(240, dtype=np.uint8).reshape(_SHAPE), maps)
    written = np.array(Image.open(tmp_path / "normal/a.vol.en_face.png"))
    np.testing.assert_array_equal(written, en_face_picture(volume(), maps))


def test_nifti_comes_back_exact(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    maps = some_maps()
    save_volume_maps(tmp_path, volume(), np.arange(240, dtype=np.uint8).reshape(_SHAPE), maps)
    path = tmp_path / "normal/a.vol.residual.nii.gz"
    assert path.read_bytes()[:2] == b"\x1f\x8b"  # gzip
    image = nibabel.load(path)
    assert image.get_data_dtype() == np.float32 and image.shape == (8, 10, 3)
    read = np.asarray(image.dataobj)
    for scan in range(3):
        np.testing.assert_array_equal(read[:, :, scan].T, maps[scan])
    between, axial, lateral = np.array(_SPACING, np.float32)
    assert image.header.get_zooms() == (lateral, axial, between)
    assert image.header.get_xyzt_units()[0] == "mm"
    expected = np.diag([-lateral, -axial, between, 1])
    for form, code in (image.get_sform(coded=True), image.get_qform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(form, expected, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(image.affine, expected)
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")
    assert image.header["descrip"].item() == b"fanogan_tf residual |x - G(E(x))|, eye OS"


def test_nifti_of_an_unknown_eye_and_the_same_bytes_twice():
    nibabel = pytest.importorskip("nibabel")
    maps = some_maps()
    packed = nifti(volume(eye=""), maps)
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(packed))
    assert image.header["descrip"].item().endswith(b"eye unknown")
    assert packed == nifti(volume("other.vol", eye=""), maps)
    assert packed[4:8] == bytes(4)  # No time in gzip's header.


def test_without_nibabel_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(UserError, match=r"^maps of volumes need nibabel: pip install 'fanogan_tf\[oct\]'$"):
        save_volume_maps(tmp_path, volume(), np.arange(240, dtype=np.uint8).reshape(_SHAPE), some_maps())
    assert not list(tmp_path.iterdir())


def test_maps_of_the_areas_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\(3, 10, 8\)"):
        save_volume_maps(tmp_path, volume(), np.zeros(_SHAPE, np.uint8), np.zeros((2, 4, 4), np.float32))
    assert not list(tmp_path.iterdir())
