import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fanogan_tf.errors import UserError
from fanogan_tf.oct.readers import find
from fanogan_tf.oct.readers.find import find_volumes, read_volume, volume_files
from fanogan_tf.oct.volume import DETACHMENT, INTRARETINAL_FLUID, SUBRETINAL_FLUID
from tests.helpers.oct_files import (
    SPACING,
    raw_values,
    sample,
    sample_surfaces,
    write_bscan_folder,
    write_chiu_mat,
    write_dicom_oct,
    write_e2e,
    write_farsiu_mat,
    write_retouch,
    write_vol,
    write_xml,
)

DATA = sample()
SURFACES = sample_surfaces()


def refused(path, match):
    with pytest.raises(UserError, match=match) as caught:
        read_volume(path, "x")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_kind_is_found_once_and_hidden_ones_are_not(tmp_path):
    expected = [
        write_vol(tmp_path / "deep/er/a.VOL", raw_values(DATA)),
        write_vol(tmp_path / "deep/b.vol", raw_values(DATA)),
        write_xml(tmp_path / "export", DATA).parent,
        write_bscan_folder(tmp_path / "scans", DATA),
        write_retouch(tmp_path / "case", DATA, DATA % 4),
        write_dicom_oct(tmp_path / "c.dcm", DATA),
    ]
    # Masks of a B-scan folder, and a picture beside the folders, are no volumes.
    write_bscan_folder(tmp_path / "scans" / "masks", DATA)
    Image.fromarray(DATA[0]).save(tmp_path / "overview.png")
    Image.fromarray(DATA[0]).save(tmp_path / "overview2.png")
    write_vol(tmp_path / ".hidden/a.vol", raw_values(DATA))
    write_vol(tmp_path / "deep/.b.vol", raw_values(DATA))
    (tmp_path / "notes.txt").write_text("no volume")
    (tmp_path / "deep/loop").symlink_to(tmp_path)

    found = find_volumes(tmp_path)
    assert found == sorted(expected, key=lambda path: path.as_posix())
    for path in found:
        np.testing.assert_array_equal(read_volume(path, path.name).data, DATA)


def test_a_folder_that_is_a_volume_is_its_only_one(tmp_path):
    assert find_volumes(write_bscan_folder(tmp_path, DATA)) == [tmp_path]


def test_pictures_above_volumes_do_not_hide_them(tmp_path):
    write_bscan_folder(tmp_path, DATA)
    deep = write_vol(tmp_path / "eyes/right/a.vol", raw_values(DATA))
    assert find_volumes(tmp_path) == [deep]


def test_dicom_files_in_one_folder_are_no_b_scans(tmp_path):
    files = [write_dicom_oct(tmp_path / name, DATA) for name in ("a.dcm", "b.dcm")]
    assert find_volumes(tmp_path) == files
    refused(tmp_path, "no volume")


def test_two_exports_in_one_folder_are_two_volumes(tmp_path):
    first = write_xml(tmp_path, DATA)
    second = first.rename(tmp_path / "other.xml")
    first = write_xml(tmp_path, DATA)
    assert find_volumes(tmp_path) == [second, first]
    refused(tmp_path, "2 .xml files")


def test_nothing_is_found_in_an_empty_folder(tmp_path):
    assert find_volumes(tmp_path) == []


def test_files_that_a_volume_depends_on(tmp_path):
    vol = write_vol(tmp_path / "a.vol", raw_values(DATA))
    assert volume_files(vol) == [vol]
    xml = write_xml(tmp_path / "export", DATA)
    assert volume_files(xml) == volume_files(xml.parent) == sorted([xml, *(tmp_path / "export" / f"{i}F.png" for i in (1, 2, 3))])
    case = write_retouch(tmp_path / "case", DATA, DATA % 4)
    assert [path.name for path in volume_files(case)] == ["oct.mhd", "oct.raw", "reference.mhd", "reference.raw"]
    assert [path.name for path in volume_files(write_bscan_folder(tmp_path / "scans", DATA))] == [
        "scan1.png",
        "scan2.png",
        "scan3.png",
    ]
    with pytest.raises(UserError, match="no such file"):
        volume_files(tmp_path / "missing.vol")


def test_b_scans_of_a_folder_in_natural_order(tmp_path):
    data = sample((11, 6, 5))
    volume = read_volume(write_bscan_folder(tmp_path, data), "eleven")
    np.testing.assert_array_equal(volume.data, data)
    assert (volume.name, volume.eye, volume.surfaces, volume.lesions) == ("eleven", "", {}, None)


def test_b_scans_of_sixteen_bits(tmp_path):
    data = sample().astype(np.uint16) * 201 + 7
    volume = read_volume(write_bscan_folder(tmp_path, data), "x")
    assert volume.data.dtype == np.uint16
    np.testing.assert_array_equal(volume.data, data)


def test_unknown_spacing_is_assumed_and_said_once(tmp_path, capsys):
    find._tell_assumed.cache_clear()
    folder = write_bscan_folder(tmp_path, DATA)
    assert read_volume(folder, "x").spacing == read_volume(folder, "y").spacing == find.ASSUMED_SPACING
    assert capsys.readouterr().err.count("123 x 3.87 x 11.33 um") == 1


def test_b_scans_of_different_sizes(tmp_path):
    write_bscan_folder(tmp_path, DATA)
    Image.fromarray(DATA[0][:-1]).save(tmp_path / "scan2.png")
    refused(tmp_path, "scan2.png has 11x8 pixels, scan1.png 12x8")


def test_an_unreadable_image_is_named(tmp_path):
    write_bscan_folder(tmp_path, DATA)
    (tmp_path / "scan2.png").write_bytes(b"no image")
    refused(tmp_path, "scan2.png: unreadable image")


def test_one_image_is_no_volume(tmp_path):
    refused(
        write_bscan_folder(tmp_path / "one", DATA[:1]), "a single B-scan; a raster of at least 2 parallel B-scans is expected"
    )
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no volume")


@pytest.mark.parametrize("name", ["a.txt", "a", "a.png"])
def test_unknown_extension(tmp_path, name):
    (tmp_path / name).write_text("x")
    refused(tmp_path / name, "unknown extension")
    refused(tmp_path / "missing", "no such file")


@pytest.mark.parametrize("extension", find.VOLUME_EXTENSIONS)
@pytest.mark.parametrize("content", ["png", "text", "empty", "zeros"])
def test_wrong_contents_are_refused_in_one_line(tmp_path, extension, content):
    path = tmp_path / f"a{extension}"
    if content == "png":
        Image.fromarray(DATA[0]).save(path, format="PNG")
    else:
        path.write_bytes({"text": b"just words\n" * 300, "empty": b"", "zeros": bytes(5000)}[content])
    assert str(path) in refused(path, "unreadable")


@pytest.mark.parametrize("shortened", [0.98, 0.5, 0.1])
@pytest.mark.parametrize(
    "writer", [lambda p: write_vol(p, raw_values(DATA)), lambda p: write_e2e(p, DATA), lambda p: write_dicom_oct(p, DATA)]
)
def test_truncated_files(tmp_path, writer, shortened):
    path = writer(tmp_path / "a")
    content = path.read_bytes()
    path = path.rename(tmp_path / ("a.vol" if content[:3] == b"HSF" else "a.e2e" if content[:4] == b"CMDb" else "a.dcm"))
    path.write_bytes(content[: int(len(content) * shortened)])
    refused(path, "unreadable")


def test_a_black_b_scan_is_read(tmp_path):
    data = DATA.copy()
    data[1] = 0
    np.testing.assert_array_equal(read_volume(write_vol(tmp_path / "a.vol", raw_values(data)), "x").data, data)


def test_retouch_case(tmp_path):
    data = DATA.astype(np.uint16) * 250
    reference = DATA % 4
    volume = read_volume(write_retouch(tmp_path, data, reference), "case")
    assert volume.data.dtype == np.uint16 and volume.spacing == SPACING
    np.testing.assert_array_equal(volume.data, data)
    np.testing.assert_array_equal(volume.lesions, reference)
    assert volume.kinds == (INTRARETINAL_FLUID, SUBRETINAL_FLUID, DETACHMENT)


def test_retouch_without_reference(tmp_path):
    volume = read_volume(write_retouch(tmp_path, DATA), "case")
    assert volume.lesions is None and volume.kinds == ()


def test_damaged_retouch_cases(tmp_path):
    refused(write_retouch(tmp_path / "a", DATA, DATA[:2]), "reference.mhd: .*2, 12, 8.*3, 12, 8")
    refused(write_retouch(tmp_path / "b", DATA, np.full_like(DATA, 4)), "reference.mhd: .*holds 4")
    case = write_retouch(tmp_path / "c", DATA)
    (case / "oct.raw").write_bytes(DATA.tobytes()[:-1])
    refused(case, "oct.mhd: .*287 bytes, but its header gives 288")
    (case / "oct.raw").unlink()
    refused(case, "oct.raw are missing")


def chiu(tmp_path, **changes):
    """A file in which only the second and fourth of four B-scans are annotated."""
    data = sample((4, 12, 8))
    layers = np.full((8, 4, 8), np.nan)
    layers[:, [1, 3]] = np.arange(8)[:, None, None] + 2.0
    fluid = np.full(data.shape, np.nan)
    fluid[[1, 3]] = 0
    fluid[1, 4:6, 2:5] = 7  # Numbers of regions.
    return data, write_chiu_mat(tmp_path / "a.mat", data, changes.get("layers", layers), changes.get("fluid", fluid))


def test_chiu_keeps_what_has_been_annotated(tmp_path):
    data, path = chiu(tmp_path)
    volume = read_volume(path, "x")
    np.testing.assert_array_equal(volume.data, data[[1, 3]])
    np.testing.assert_array_equal(volume.surfaces["ILM"], np.full((2, 8), 2, np.float32))
    np.testing.assert_array_equal(volume.surfaces["BM"], np.full((2, 8), 9, np.float32))
    assert volume.kinds == (INTRARETINAL_FLUID,)
    assert volume.lesions[0, 4:6, 2:5].all() and volume.lesions.sum() == 6
    assert volume.spacing == pytest.approx((0.246, 0.00387, 0.01133))


def test_chiu_without_annotations(tmp_path):
    _, path = chiu(tmp_path, layers=np.full((8, 4, 8), np.nan), fluid=np.zeros((4, 12, 8)))
    refused(path, "no B-scan of it is annotated")


def test_farsiu(tmp_path):
    layers = np.stack([np.full((3, 8), row) for row in (2.0, 6.0, 9.5)])
    layers[0, 1, 4] = np.nan
    volume = read_volume(write_farsiu_mat(tmp_path / "a.mat", DATA, layers), "x")
    np.testing.assert_array_equal(volume.data, DATA)
    assert list(volume.surfaces) == ["ILM", "IBRPE", "BM"] and volume.lesions is None
    np.testing.assert_array_equal(volume.surfaces["ILM"], layers[0].astype(np.float32))
    np.testing.assert_array_equal(volume.surfaces["BM"], layers[2].astype(np.float32))


def test_other_mat_files(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "a.mat", {"images": DATA, "answer": 42})
    refused(tmp_path / "a.mat", "it holds answer, images")


def test_damaged_mat_files(tmp_path):
    _, path = chiu(tmp_path)
    content = path.read_bytes()
    # The number type of the first array's values: tag, flags, size and name come before it. scipy would crash on it.
    at = content.index(b"images") + 8
    assert content[at] == 2
    path.write_bytes(content[:at] + b"\xc8" + content[at + 1 :])
    refused(path, "damaged")
    path.write_bytes(content[:-20])
    refused(path, "damaged or truncated")
    path.write_bytes(b"MATLAB 7.3 MAT-file" + bytes(600))
    refused(path, "save it with -v7")


def test_compressed_mat(tmp_path):
    from scipy.io import loadmat, savemat

    data, path = chiu(tmp_path)
    content = {key: value for key, value in loadmat(path).items() if not key.startswith("__")}
    savemat(path, content, do_compression=True)
    np.testing.assert_array_equal(read_volume(path, "x").data, data[[1, 3]])


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    for name, module, extra in (("a.vol", "eyepy", "oct"), ("a.e2e", "eyepy", "oct"), ("a.dcm", "pydicom", "dicom")):
        (tmp_path / name).write_bytes(b"x")
        monkeypatch.setitem(sys.modules, module, None)
        refused(tmp_path / name, rf"{module}: pip install 'fanogan_tf\[{extra}\]'")


def test_reading_leaves_nothing_in_the_home_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    files = [
        write_vol(tmp_path / "a.vol", raw_values(DATA)),
        write_e2e(tmp_path / "a.e2e", DATA),
        write_dicom_oct(tmp_path / "a.dcm", DATA),
    ]
    text = "import sys; from fanogan_tf.oct.readers.find import read_volume; [read_volume(p, 'x') for p in sys.argv[1:]]"
    root = Path(find.__file__).parents[3]
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", text, *files], check=True, timeout=60, env=environment)
    assert list(home.iterdir()) == []


def test_surfaces_of_all_formats_agree(tmp_path):
    paths = [
        write_vol(tmp_path / "a.vol", raw_values(DATA), SURFACES),
        write_xml(tmp_path / "x", DATA, SURFACES),
        write_e2e(tmp_path / "a.e2e", DATA, surfaces=SURFACES),
    ]
    for path in paths:
        volume = read_volume(path, "x")
        assert list(volume.surfaces) == ["ILM", "BM"]
        for name, rows in SURFACES.items():
            np.testing.assert_array_equal(volume.surfaces[name], rows)
