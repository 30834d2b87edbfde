"""X-ray images; OCT volumes are in tests/data/oct/test_oct_dicom.py."""

import numpy as np
import pydicom
import pytest

from fanogan_tf.data.dicom import read_image_dicom
from fanogan_tf.errors import UserError
from tests.helpers.oct_files import write_dicom

EIGHT = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
TWELVE = (np.arange(35, dtype=np.uint16).reshape(5, 7) * 120).astype(np.uint16)


def table(data, first=0, bits=16):
    item = pydicom.Dataset()
    item.LUTDescriptor, item.LUTData = [len(data), first, bits], list(map(int, data))
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    return [item]


def refused(path, match):
    with pytest.raises(UserError, match=match) as caught:
        read_image_dicom(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_stored_values_fill_the_range_exactly(tmp_path):
    image = read_image_dicom(write_dicom(tmp_path / "a.dcm", EIGHT))
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, EIGHT.astype(np.uint16) * 257)
    sixteen = TWELVE * 15
    np.testing.assert_array_equal(read_image_dicom(write_dicom(tmp_path / "b.dcm", sixteen)), sixteen)


def test_the_stored_bits_give_the_range(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", TWELVE, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read_image_dicom(path), np.round(TWELVE / 4095 * 65535))


def test_signed_values(tmp_path):
    stored = TWELVE.astype(np.int16) - 2048
    path = write_dicom(tmp_path / "a.dcm", stored, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read_image_dicom(path), np.round((stored + 2048.0) / 4095 * 65535))


def test_monochrome1_is_inverted(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", EIGHT, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_image_dicom(path), 65535 - EIGHT.astype(np.int64) * 257)


def test_linear_window(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", EIGHT, WindowCenter=100, WindowWidth=51)
    shown = read_image_dicom(path)
    # C.11.2.1.2: from 74.5 to 124.5 the output rises.
    np.testing.assert_array_equal(shown, np.round(np.clip((EIGHT - 74.5) / 50, 0, 1) * 65535))
    assert shown.min() == 0 and shown.max() == 65535


def test_the_first_of_several_windows(tmp_path):
    one = read_image_dicom(write_dicom(tmp_path / "a.dcm", EIGHT, WindowCenter=100, WindowWidth=51))
    two = read_image_dicom(write_dicom(tmp_path / "b.dcm", EIGHT, WindowCenter=[100, 30], WindowWidth=[51, 9]))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_are_pydicoms(tmp_path, function):
    from pydicom.pixels import apply_windowing

    path = write_dicom(
        tmp_path / "a.dcm", TWELVE, BitsStored=12, HighBit=11, WindowCenter=1500, WindowWidth=900, VOILUTFunction=function
    )
    theirs = apply_windowing(TWELVE, pydicom.dcmread(path)) / 4095 * 65535
    np.testing.assert_allclose(read_image_dicom(path), theirs, atol=0.51)


def test_rescale_comes_before_the_window(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", EIGHT, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=100, WindowWidth=51)
    np.testing.assert_array_equal(read_image_dicom(path), np.round(np.clip((EIGHT * 2.0 - 100 - 74.5) / 50, 0, 1) * 65535))


def test_a_falling_rescale_inverts(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", EIGHT, RescaleSlope=-1, RescaleIntercept=255)
    np.testing.assert_array_equal(read_image_dicom(path), 65535 - EIGHT.astype(np.int64) * 257)


def test_modality_lut(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", EIGHT, ModalityLUTSequence=table(1023 - np.arange(256) * 4, bits=10))
    np.testing.assert_array_equal(read_image_dicom(path), np.round((1023 - EIGHT * 4.0) / 1023 * 65535))


def test_voi_lut_with_values_on_either_side(tmp_path):
    path = write_dicom(
        tmp_path / "a.dcm", EIGHT, VOILUTSequence=table([5, 100, 250], first=100, bits=8), WindowCenter=1, WindowWidth=2
    )
    expected = np.array([5, 100, 250])[np.clip(EIGHT.astype(int) - 100, 0, 2)] * 257
    np.testing.assert_array_equal(read_image_dicom(path), expected)


def test_grey_saved_as_colour(tmp_path):
    colours = np.repeat(EIGHT[..., None], 3, axis=-1)
    np.testing.assert_array_equal(read_image_dicom(write_dicom(tmp_path / "a.dcm", colours)), EIGHT.astype(np.uint16) * 257)
    colours[2, 2] = 200, 20, 20
    refused(write_dicom(tmp_path / "b.dcm", colours), "a colour photograph: a grey image is expected")


def test_run_length_encoding(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", EIGHT)
    dataset = pydicom.dcmread(path)
    dataset.compress(pydicom.uid.RLELossless)
    dataset.save_as(path)
    np.testing.assert_array_equal(read_image_dicom(path), EIGHT.astype(np.uint16) * 257)


def test_no_image_in_it(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", None, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    refused(path, "no image in it: Basic Text SR Storage")


def test_an_unknown_value_representation(tmp_path):
    """pydicom raises only when such an element is looked at."""
    # Rows of an image; the kind of an object without one.
    for pixels, element in ((EIGHT, b"\x28\x00\x10\x00US"), (None, b"\x08\x00\x16\x00UI")):
        path = write_dicom(tmp_path / "a.dcm", pixels)
        content = path.read_bytes()
        assert content.count(element) == 1
        path.write_bytes(content.replace(element, element[:4] + b"ZZ"))
        refused(path, "unreadable DICOM")


def test_several_frames(tmp_path):
    refused(write_dicom(tmp_path / "a.dcm", EIGHT, NumberOfFrames=3), "it holds 3 frames")


def test_a_missing_decoder_is_named(tmp_path):
    content = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    path = write_dicom(tmp_path / "a.dcm", EIGHT)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    dataset.PixelData = content
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    if pydicom.pixels.get_decoder(pydicom.uid.JPEGLSLossless).is_available:
        pytest.skip("its decoder is installed")
    refused(path, "compressed as JPEG-LS Lossless.*: install .*pyjpegls")


def test_a_video_is_refused(tmp_path):
    path = write_dicom(tmp_path / "a.dcm", EIGHT)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    dataset.PixelData = pydicom.encaps.encapsulate([b"\x00\x01"])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path)
    refused(path, "MPEG2 .*cannot decode")


@pytest.mark.parametrize("content", [b"", b"words", b"\x89PNG\r\n\x1a\n" + bytes(300), bytes(128) + b"DICM"])
def test_other_files(tmp_path, content):
    (tmp_path / "a.dcm").write_bytes(content)
    refused(tmp_path / "a.dcm", "unreadable DICOM")


@pytest.mark.parametrize("missing", [2, 10, 30, 60, 200])
def test_truncated(tmp_path, missing):
    path = write_dicom(tmp_path / "a.dcm", EIGHT)
    path.write_bytes(path.read_bytes()[:-missing])
    refused(path, "unreadable DICOM")


def test_fewer_pixels_than_announced(tmp_path):
    refused(write_dicom(tmp_path / "a.dcm", EIGHT, Rows=50), "unreadable DICOM")


def test_missing(tmp_path):
    refused(tmp_path / "missing.dcm", "No such file")
