import numpy as np
import pytest

from fanogan_tf.data.pixels import to_signed
from fanogan_tf.errors import UserError
from fanogan_tf.oct.maps import area_maps, en_face, positions
from fanogan_tf.oct.preparation import PreparedVolume


class Detector:
    """Its residual is what `residual` makes of the images; it keeps the size of each batch."""

    def __init__(self, residual, shape=(4, 4, 1)):
        self.image_shape = shape
        self.batches = []
        self._residual = residual

    def measure(self, images):
        self.batches.append(images.shape)
        return {"residual": self._residual(images)}


def volume(areas):
    scans, _, columns = areas.shape
    surface = np.zeros((scans, columns), np.int64)
    return PreparedVolume(
        "a.vol", "OD", (scans, 20, columns), (0.1, 0.01, 0.01), areas, np.arange(scans), top=surface, bottom=surface
    )


def noise(*shape):
    return np.random.default_rng(3).integers(0, 65536, shape).astype(np.uint16)


@pytest.mark.parametrize(
    ("whole", "part", "stride", "expected"),
    [
        (128, 64, 32, [0, 32, 64]),
        (128, 64, 48, [0, 48, 64]),
        (256, 64, 48, [0, 48, 96, 144, 192]),
        (250, 64, 64, [0, 64, 128, 186]),
        (64, 64, 1, [0]),
        (65, 64, 64, [0, 1]),
    ],
)
def test_positions(whole, part, stride, expected):
    assert positions(whole, part, stride) == expected


def test_positions_cover_everything_once_at_least():
    for whole in range(1, 30):
        for part in range(1, whole + 1):
            for stride in range(1, part + 1):
                starts = positions(whole, part, stride)
                assert len(set(starts)) == len(starts) and starts == sorted(starts)
                assert {i for start in starts for i in range(start, start + part)} == set(range(whole))


@pytest.mark.parametrize(("whole", "part", "stride"), [(10, 11, 1), (10, 4, 5), (10, 4, 0)])
def test_positions_that_cannot_cover(whole, part, stride):
    with pytest.raises(ValueError, match="do not cover 10"):
        positions(whole, part, stride)


@pytest.mark.parametrize("stride", [64, 48, 17])
def test_a_map_that_does_not_depend_on_the_patch_is_the_plain_one(stride):
    areas = noise(2, 128, 256)
    detector = Detector(lambda images: np.abs(images - np.float32(0.25)), (64, 64, 1))
    maps = area_maps(detector, volume(areas), stride, 16)
    assert maps.dtype == np.float32 and maps.shape == areas.shape
    np.testing.assert_allclose(maps, np.abs(to_signed(areas) - 0.25), rtol=0, atol=1e-6)


def test_overlaps_are_averaged():
    # One row of areas: patches of two columns begin at columns 0, 1 and 2, and each is worth its own first pixel.
    areas = np.array([[[0, 10000, 40000, 65535]]], np.uint16)
    detector = Detector(lambda images: images[:, :, :1].repeat(2, axis=2) + 1, (1, 2, 1))
    maps = area_maps(detector, volume(areas), 1, 5)
    a, b, c = np.array([0, 10000, 40000]) / 32767.5
    np.testing.assert_allclose(maps, [[[a, (a + b) / 2, (b + c) / 2, c]]], atol=1e-6)


def test_the_last_patch_ends_at_the_border():
    # Patches begin at columns 0, 3 and 4: the last two share three columns, the first two share one.
    detector = Detector(lambda images: np.arange(3, dtype=np.float32)[:, None, None, None] * np.ones((3, 4, 4, 1)))
    maps = area_maps(detector, volume(noise(1, 4, 8)), 3, 8)
    np.testing.assert_allclose(maps[0], [[0, 0, 0, 0.5, 1.5, 1.5, 1.5, 2]] * 4)


def test_batches_cross_scans_and_are_never_larger():
    # 6 patches per B-scan, 5 B-scans: 30.
    areas = noise(5, 8, 12)
    detector = Detector(lambda images: images)
    maps = area_maps(detector, volume(areas), 4, 8)
    assert detector.batches == [(8, 4, 4, 1)] * 3 + [(6, 4, 4, 1)]
    np.testing.assert_array_equal(maps, to_signed(areas))


def test_areas_smaller_than_a_patch():
    with pytest.raises(UserError, match=r"^a.vol: areas of 3x9 pixels, less than .* 4x4; raise --oct_height and --oct_columns"):
        area_maps(Detector(None), volume(noise(1, 3, 9)), 2, 8)


@pytest.mark.parametrize("stride", [0, 5])
def test_a_stride_that_leaves_gaps(stride):
    with pytest.raises(UserError, match=f"^--oct_stride={stride}: .*; at most 4$"):
        area_maps(Detector(None), volume(noise(1, 8, 8)), stride, 8)


def test_en_face_is_the_mean_over_the_area():
    maps = np.zeros((2, 9, 3), np.float32)
    maps[0, 2:6, 0] = [1, 0, 0, 2]  # A pixel that is restored exactly lies in the area none the less.
    maps[0, :, 1] = 0.25
    maps[1, 8, 2] = 0.75
    front = en_face(maps)
    assert front.dtype == np.float32
    np.testing.assert_array_equal(front, [[0.75, 0.25, 0], [0, 0, 0.75]])


def test_en_face_does_not_depend_on_the_scans_height():
    maps = np.zeros((1, 40, 2), np.float32)
    maps[:, 10:20] = np.random.default_rng(0).random((1, 10, 2)) + 0.1
    np.testing.assert_allclose(en_face(maps), maps[:, 10:20].mean(axis=1), rtol=1e-6)
    np.testing.assert_array_equal(en_face(maps), en_face(maps[:, 5:25]))
