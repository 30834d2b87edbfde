import dataclasses

import numpy as np
import pytest

from fanogan_tf.errors import UserError
from fanogan_tf.oct.preparation import Preparation, prepare
from fanogan_tf.oct.volume import Volume

SETTINGS = Preparation(columns=16, height=12, surfaces="file")


def volume(scans=3, rows=40, width=32, thickness=8.0, **changes):
    """Noise, with its bottom surface rising from row 30 by one row per B-scan."""
    bottom = np.broadcast_to(30 - np.arange(scans, dtype=np.float32)[:, None], (scans, width)).copy()
    data = np.random.default_rng(0).integers(20, 200, (scans, rows, width)).astype(np.uint8)
    surfaces = {"ILM": bottom - np.float32(thickness), "BM": bottom}
    return dataclasses.replace(Volume("eye.vol", data, (0.12, 0.004, 0.011), "OD", surfaces), **changes)


def test_areas_are_the_flattened_scan_with_halved_columns():
    scanned = volume()
    prepared = prepare(scanned, SETTINGS)
    assert prepared.areas.shape == (3, 12, 16) and prepared.areas.dtype == np.uint16
    assert prepared.scans.tolist() == [0, 1, 2] and prepared.left_out == ()
    assert (prepared.name, prepared.eye, prepared.shape, prepared.spacing) == ("eye.vol", "OD", (3, 40, 32), (0.12, 0.004, 0.011))
    halved = (scanned.data[..., ::2].astype(float) + scanned.data[..., 1::2]) / 2
    expected = (halved[1, 18:30] - scanned.data.min()) / np.ptp(scanned.data) * 65535
    np.testing.assert_allclose(prepared.areas[1], expected, atol=0.6)


def test_grey_values_are_normalised_by_the_whole_volume():
    scanned = volume()
    scanned.data[0, 0, 0], scanned.data[2, 39, 31] = 0, 255  # Outside the retina, and yet what -1 and 1 are.
    prepared = prepare(scanned, SETTINGS)
    assert prepared.areas.min() > 20 / 255 * 65535 - 1 and prepared.areas.max() < 200 / 255 * 65535 + 1


def test_normalisation_does_not_depend_on_the_scale_of_the_values():
    scanned = volume()
    wide = dataclasses.replace(scanned, data=(scanned.data.astype(np.float32) * 300 - 7000))
    np.testing.assert_allclose(prepare(wide, SETTINGS).areas, prepare(scanned, SETTINGS).areas.astype(float), atol=1)


def test_lesions_go_with_their_pixels():
    lesions = np.zeros((3, 40, 32), np.uint8)
    lesions[1, 27, 6] = 2  # Row 27 of a scan whose bottom is 29: third from the end; columns 6 and 7 join.
    lesions[1, 5, 6] = 1  # Far above the retina.
    prepared = prepare(volume(lesions=lesions, kinds=("a", "b")), SETTINGS)
    assert prepared.kinds == ("a", "b")
    assert np.argwhere(prepared.lesions).tolist() == [[1, 9, 3]] and prepared.lesions[1, 9, 3] == 2


@pytest.mark.parametrize("thickness", [8.0, 20.0])
def test_maps_go_back_to_the_pixels_they_came_from(thickness):
    lesions = np.zeros((3, 40, 32), np.uint8)
    lesions[2, 22:26, 10:14] = 1
    prepared = prepare(volume(thickness=thickness, lesions=lesions, kinds=("a",)), SETTINGS)
    back = prepared.in_scanner_geometry(prepared.lesions.astype(np.float32))
    assert back.shape == (3, 40, 32)
    np.testing.assert_array_equal(back[:2], 0)
    found = back[2] >= 0.5
    missed, invented = (lesions[2] > 0) & ~found, found & (lesions[2] == 0)
    assert missed.sum() <= 4 and invented.sum() <= (0 if thickness < 12 else 4)


def test_unknown_columns_of_a_surface_are_bridged():
    scanned = volume()
    whole = prepare(scanned, SETTINGS)
    scanned.surfaces["BM"][1, 4:12] = np.nan
    bridged = prepare(scanned, SETTINGS)
    np.testing.assert_array_equal(bridged.bottom, whole.bottom)
    np.testing.assert_array_equal(bridged.areas, whole.areas)


def test_scans_without_surface_or_signal_are_left_out_by_name():
    scanned = volume()
    scanned.surfaces["ILM"][0] = np.nan
    scanned.data[2] = 0
    prepared = prepare(scanned, SETTINGS)
    assert prepared.scans.tolist() == [1] and len(prepared.areas) == 1
    assert prepared.left_out == (
        (0, "the file's surface ILM is known in 0 % of its columns"),
        (2, "all its pixels have one value"),
    )
    maps = prepared.in_scanner_geometry(np.ones((1, 12, 16), np.float32))
    assert not maps[[0, 2]].any() and maps[1].any()


def test_what_cannot_be_prepared():
    with pytest.raises(UserError, match=r"^eye.vol: 32 columns per B-scan, at least 64 .* --oct_columns=32$"):
        prepare(volume(), Preparation(columns=64))
    with pytest.raises(UserError, match=r"^eye.vol: all voxels have the value 7;"):
        prepare(volume(data=np.full((3, 40, 32), 7, np.uint8)), SETTINGS)
    with pytest.raises(UserError, match=r"^eye.vol: no surface ILM in the file \(it has: RPE\); take --oct_surfaces=graph_cut"):
        prepare(volume(surfaces={"RPE": np.zeros((3, 32), np.float32)}), SETTINGS)
    nothing = volume()
    nothing.surfaces["BM"][:] = np.nan
    with pytest.raises(UserError, match=r"^eye.vol: no B-scan in which the retina can be found \(the file's surface BM"):
        prepare(nothing, SETTINGS)
