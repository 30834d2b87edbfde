import struct

import numpy as np
import pytest
from PIL import Image

from fanogan_tf.errors import UserError
from fanogan_tf.oct.readers.find import read_volume
from tests.helpers.oct_files import (
    SPACING,
    UNKNOWN,
    raster,
    raw_values,
    sample,
    sample_surfaces,
    star,
    write_e2e,
    write_vol,
    write_xml,
)

DATA = sample()
GREYS = np.stack([np.arange(256, dtype=np.uint8).reshape(16, 16)] * 2)


def refused(path, match):
    with pytest.raises(UserError, match=match) as caught:
        read_volume(path, "x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("eye", ["OD", "OS"])
def test_vol(tmp_path, eye):
    volume = read_volume(write_vol(tmp_path / "a.vol", raw_values(DATA), eye=eye), "name")
    assert volume.data.dtype == np.uint8
    np.testing.assert_array_equal(volume.data, DATA)
    assert (volume.name, volume.eye, volume.spacing, volume.surfaces, volume.lesions) == ("name", eye, SPACING, {}, None)


def test_every_grey_value_of_vol_and_e2e(tmp_path):
    np.testing.assert_array_equal(read_volume(write_vol(tmp_path / "a.vol", raw_values(GREYS)), "x").data, GREYS)
    np.testing.assert_array_equal(read_volume(write_e2e(tmp_path / "a.e2e", GREYS), "x").data, GREYS)


@pytest.mark.filterwarnings("error")
def test_voxels_of_vol_without_a_value_are_black(tmp_path):
    raw = raw_values(DATA)
    raw[0, 0, :6] = UNKNOWN, np.nan, np.inf, -1.0, 2.0, 1.0
    np.testing.assert_array_equal(read_volume(write_vol(tmp_path / "a.vol", raw), "x").data[0, 0, :6], [0, 0, 0, 0, 255, 255])


def test_vol_without_bruchs_membrane_has_none(tmp_path):
    surfaces = sample_surfaces(names=("ILM", "RPE"))
    volume = read_volume(write_vol(tmp_path / "a.vol", raw_values(DATA), surfaces), "x")
    assert list(volume.surfaces) == ["ILM", "RPE"]
    np.testing.assert_array_equal(volume.surfaces["RPE"], surfaces["RPE"])


def test_rows_outside_the_image_are_unknown(tmp_path):
    surfaces = sample_surfaces(names=("ILM",))
    surfaces["ILM"][0, :3] = -1, 13, 5
    rows = read_volume(write_vol(tmp_path / "a.vol", raw_values(DATA), surfaces), "x").surfaces["ILM"]
    np.testing.assert_array_equal(rows[0, :3], np.array([np.nan, np.nan, 5], np.float32))


@pytest.mark.parametrize(("pattern", "words"), [(1, "a single line scan"), (2, "a circle scan"), (5, r"a radial \(star\) scan")])
def test_other_patterns_of_vol(tmp_path, pattern, words):
    path = write_vol(tmp_path / "a.vol", raw_values(DATA[:1] if pattern < 3 else DATA), pattern=pattern)
    refused(path, f"a.vol: {words}; a raster of at least 2 parallel B-scans is expected")


@pytest.mark.parametrize("pattern", [0, 3])
def test_positions_tell_a_star_where_the_pattern_does_not(tmp_path, pattern):
    refused(
        write_vol(tmp_path / "a.vol", raw_values(DATA), pattern=pattern, positions=star(3)), "not parallel .up to 120 degrees"
    )
    refused(write_xml(tmp_path, DATA, positions=star(3)), "not parallel")


def test_rasters_in_any_direction_and_without_positions(tmp_path):
    upright = raster(3, 0.125, 6.0)[:, [1, 0, 3, 2]]
    for i, positions in enumerate((upright, np.zeros((3, 4)))):
        for path in (
            write_vol(tmp_path / f"{i}.vol", raw_values(DATA), positions=positions),
            write_vol(tmp_path / f"{i}f.vol", raw_values(DATA), positions=positions, pattern=4),
            write_xml(tmp_path / f"{i}", DATA, positions=positions),
        ):
            np.testing.assert_array_equal(read_volume(path, "x").data, DATA)
    assert read_volume(tmp_path / "0", "x").spacing == pytest.approx(SPACING)


def test_one_b_scan_of_unknown_pattern(tmp_path):
    refused(write_vol(tmp_path / "a.vol", raw_values(DATA[:1]), pattern=0), "a single B-scan; a raster")
    refused(write_xml(tmp_path, DATA[:1]), "a single B-scan; a raster")


def test_patient_data_cannot_stop_the_reading(tmp_path):
    path = write_vol(tmp_path / "a.vol", raw_values(DATA), patient="Müller".encode("latin-1"))
    content = bytearray(path.read_bytes())
    struct.pack_into("<Q", content, 88, 2**64 - 1)  # The examination in the year 60056.
    path.write_bytes(content)
    np.testing.assert_array_equal(read_volume(path, "x").data, DATA)


def test_the_length_of_a_header_is_each_b_scans_own(tmp_path):
    """Eyepy's own files say 61,440 bytes in the file's header, whatever their B-scans' are."""
    path = write_vol(tmp_path / "a.vol", raw_values(DATA))
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 100, 61440)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_volume(path, "x").data, DATA)
    struct.pack_into("<I", content, 2048 + 20 + 12, 12)
    path.write_bytes(content)
    refused(path, "damaged: the header of B-scan 0 gives itself 12 bytes")


def test_a_header_of_nonsense(tmp_path):
    path = write_vol(tmp_path / "a.vol", raw_values(DATA))
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 16, 2**31)
    path.write_bytes(content)
    refused(path, "truncated: .* but B-scan 3 of")
    struct.pack_into("<I", content, 16, 0)
    path.write_bytes(content)
    refused(path, "0 B-scans")


@pytest.mark.parametrize("eye", ["OD", "OS"])
def test_xml(tmp_path, eye):
    surfaces = sample_surfaces(names=("ILM", "BM", "RNFL"))
    path = write_xml(tmp_path, DATA, surfaces, eye=eye)
    for volume in (read_volume(path, "name"), read_volume(tmp_path, "name")):
        assert volume.data.dtype == np.uint8
        np.testing.assert_array_equal(volume.data, DATA)
        assert (volume.name, volume.eye) == ("name", eye)
        assert volume.spacing == pytest.approx(SPACING)
        assert list(volume.surfaces) == ["ILM", "BM", "RNFL"]


def test_our_reading_is_eyepys(tmp_path):
    from eyepy.io.he import HeVolReader, HeXmlReader

    surfaces = sample_surfaces(names=("ILM", "BM", "RNFL"))
    for path, reader in (
        (write_xml(tmp_path / "x", DATA, surfaces), HeXmlReader),
        (write_vol(tmp_path / "a.vol", raw_values(DATA), surfaces), HeVolReader),
    ):
        ours, theirs = read_volume(path, "x"), reader(path).volume
        np.testing.assert_array_equal(ours.data, theirs.data)
        assert ours.spacing == pytest.approx(theirs.scale)
        assert ours.eye == theirs.laterality
        for name, rows in ours.surfaces.items():
            np.testing.assert_array_equal(rows, theirs.layers[name].data.astype(np.float32))


def test_xml_without_the_fundus_image(tmp_path):
    np.testing.assert_array_equal(read_volume(write_xml(tmp_path, DATA, localizer=False), "x").data, DATA)


def test_xml_whose_images_were_renamed(tmp_path):
    """As some exports have them: the name in the .xml stands in brackets in the file's."""
    path = write_xml(tmp_path, DATA)
    for i, image in enumerate(sorted(tmp_path.glob("*F.png"))):
        image.rename(tmp_path / f"OCT R {i} [{image.name}].png")
    np.testing.assert_array_equal(read_volume(path, "x").data, DATA)


def test_xml_changed_in_place_is_read_anew(tmp_path):
    read_volume(write_xml(tmp_path, DATA, eye="OD"), "x")
    assert read_volume(write_xml(tmp_path, DATA, eye="OS"), "x").eye == "OS"


def test_damaged_xml_exports(tmp_path):
    path = write_xml(tmp_path, DATA)
    (tmp_path / "2F.png").unlink()
    refused(path, "scan.xml: its image 2F.png is missing")
    Image.fromarray(DATA[0][:, :-1]).save(tmp_path / "2F.png")
    refused(path, "2F.png has 12x7 pixels, 3F.png 12x8")
    path.write_text("<html><body>hello</body></html>")
    refused(path, "no HEYEX export")
    path.write_text("<HEDX><BODY>")
    refused(path, "scan.xml: unreadable")


def test_xml_lines_of_another_width(tmp_path):
    path = write_xml(tmp_path, DATA, {"ILM": np.ones((3, 7), np.float32)})
    refused(path, "line ILM of B-scan 0 has 7 rows for 8 columns")


@pytest.mark.parametrize("eye", ["OD", "OS"])
def test_e2e(tmp_path, eye):
    volume = read_volume(write_e2e(tmp_path / "a.e2e", DATA, eye=eye), "name")
    np.testing.assert_array_equal(volume.data, DATA)
    assert (volume.name, volume.eye, volume.surfaces) == ("name", eye, {})
    assert volume.spacing == pytest.approx((0.5 * 0.2896, SPACING[1], 20 * 0.2896 / 8))


def test_e2e_voxels_beyond_the_range_are_black(tmp_path):
    path = write_e2e(tmp_path / "a.e2e", GREYS)
    content = path.read_bytes()
    start = content.index(struct.pack("<5I", 512, 35652097, 256, 16, 16)) + 20
    path.write_bytes(content[:start] + b"\xff\xff" + content[start + 2 :])
    data = read_volume(path, "x").data
    assert data[0, 0, 0] == 0
    np.testing.assert_array_equal(data.ravel()[1:], GREYS.ravel()[1:])


def test_e2e_of_other_contents(tmp_path):
    refused(write_e2e(tmp_path / "c.e2e", DATA[:1], pattern=2), "a circle scan; a raster")
    refused(write_e2e(tmp_path / "l.e2e", DATA[:1], pattern=1), "a single B-scan; a raster")
    refused(write_e2e(tmp_path / "s.e2e", DATA, positions=star(3)), "not parallel")
    refused(write_e2e(tmp_path / "m.e2e", DATA, announced=4), "truncated: 3 of 4 B-scans")
    refused(write_e2e(tmp_path / "two.e2e", DATA, DATA), "it holds 2 volumes")


def test_e2e_raster_beside_a_line_scan(tmp_path):
    np.testing.assert_array_equal(read_volume(write_e2e(tmp_path / "a.e2e", DATA[:1], DATA), "x").data, DATA)


def test_e2e_whose_list_of_contents_runs_in_circles(tmp_path):
    path = write_e2e(tmp_path / "a.e2e", DATA)
    content = bytearray(path.read_bytes())
    entries = struct.unpack_from("<I", content, 88 + 36)[0]
    struct.pack_into("<2I", content, 88 + 52 + 44 * (entries - 1) + 4, 88 - 60, 0)
    path.write_bytes(content)
    refused(path, "runs in circles")
