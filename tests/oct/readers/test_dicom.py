import numpy as np
import pytest
from pydicom.dataset import Dataset

from fanogan_tf.data.dicom import read_image_dicom
from fanogan_tf.errors import UserError
from fanogan_tf.oct.readers.dicom import read as read_volume_dicom
from fanogan_tf.oct.readers.find import read_volume
from tests.helpers.oct_files import SPACING, sample, star, write_dicom, write_dicom_oct

DATA = sample()


def refused(path, match, read=lambda path: read_volume_dicom(path, "x")):
    with pytest.raises(UserError, match=match) as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("eye", ["OD", "OS"])
def test_oct_volume(tmp_path, eye):
    volume = read_volume(write_dicom_oct(tmp_path / "a.dcm", DATA, eye=eye), "name")
    assert volume.data.dtype == np.uint8
    np.testing.assert_array_equal(volume.data, DATA)
    assert (volume.name, volume.eye, volume.surfaces, volume.lesions) == ("name", eye, {}, None)
    assert volume.spacing == pytest.approx(SPACING)


def test_sixteen_and_twelve_bits(tmp_path):
    data = DATA.astype(np.uint16) * 16
    for bits in (16, 12):
        volume = read_volume_dicom(write_dicom_oct(tmp_path / "a.dcm", data, BitsStored=bits, HighBit=bits - 1), "x")
        assert volume.data.dtype == np.uint16
        np.testing.assert_array_equal(volume.data, data)


def test_monochrome1_is_inverted(tmp_path):
    volume = read_volume_dicom(write_dicom_oct(tmp_path / "a.dcm", DATA, PhotometricInterpretation="MONOCHROME1"), "x")
    np.testing.assert_array_equal(volume.data, 255 - DATA)


def test_distance_without_positions_is_the_slice_thickness(tmp_path):
    path = write_dicom_oct(tmp_path / "a.dcm", DATA, frame_positions=False)
    assert read_volume_dicom(path, "x").spacing == pytest.approx(SPACING)


def test_positions_go_before_the_slice_thickness(tmp_path):
    import pydicom

    path = write_dicom_oct(tmp_path / "a.dcm", DATA)
    dataset = pydicom.dcmread(path)
    dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness = 7.0
    dataset.save_as(path)
    assert read_volume_dicom(path, "x").spacing == pytest.approx(SPACING)


def test_laterality_of_the_image(tmp_path):
    import pydicom

    path = write_dicom_oct(tmp_path / "a.dcm", DATA, ImageLaterality="L")
    dataset = pydicom.dcmread(path)
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        del frame.FrameAnatomySequence
    dataset.save_as(path)
    assert read_volume_dicom(path, "x").eye == "OS"


def test_without_functional_groups_sizes_are_unknown(tmp_path):
    path = write_dicom_oct(tmp_path / "a.dcm", DATA, SharedFunctionalGroupsSequence=None, PerFrameFunctionalGroupsSequence=None)
    volume = read_volume_dicom(path, "x")
    assert np.isnan(volume.spacing).all() and volume.eye == ""


def test_other_scan_patterns(tmp_path):
    refused(write_dicom_oct(tmp_path / "star.dcm", DATA, positions=star(3)), "not parallel.*a raster of at least 2 parallel")
    frames = [Dataset() for _ in DATA]
    for frame in frames:
        location = Dataset()
        location.OphthalmicImageOrientation = "NONLINEAR"
        frame.OphthalmicFrameLocationSequence = [location]
    refused(write_dicom_oct(tmp_path / "c.dcm", DATA, PerFrameFunctionalGroupsSequence=frames), "frames that are nonlinear")
    refused(write_dicom_oct(tmp_path / "one.dcm", DATA[:1]), "a DICOM of one image; a raster")
    tilted = [Dataset() for _ in DATA]
    for frame, along in zip(tilted, ([1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1], [1, 1, 0, 0, 0, -1]), strict=True):
        plane = Dataset()
        plane.ImageOrientationPatient = along
        frame.PlaneOrientationSequence = [plane]
    refused(write_dicom_oct(tmp_path / "t.dcm", DATA, PerFrameFunctionalGroupsSequence=tilted), "up to 90 degrees apart")


def test_each_kind_where_the_other_is_wanted(tmp_path):
    xray = write_dicom(tmp_path / "xray.dcm", DATA[0])
    refused(xray, "Digital X-Ray .*: an Ophthalmic Tomography Image is expected")
    refused(write_dicom_oct(tmp_path / "a.dcm", DATA), "it holds 3 frames: one image is expected", read_image_dicom)


def test_colour_frames(tmp_path):
    path = write_dicom_oct(tmp_path / "a.dcm", DATA, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    refused(path, "colour frames")
