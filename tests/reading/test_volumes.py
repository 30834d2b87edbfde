"""DICOM results of OCT volumes."""

import shutil
import subprocess

import highdicom
import numpy as np
import pydicom
import pytest

from fanogan_tf.reading import volumes
from fanogan_tf.reading.finding import NOTICE
from fanogan_tf.reading.results import Results
from tests.helpers.oct_files import write_dicom_oct
from tests.reading.test_results import ALGORITHM, CALIBRATION, OF_THE_PATIENT

FIGURES = {"score_mean": 1.5, "score_max": 4.0, "share_anomalous": 0.25}
SHAPE = (3, 40, 32)
KINDS = {"report", "overlay", "segmentation", "map", "parametric_map"}


def scan(path, **attributes):
    """A volume of 3 B-scans."""
    data = np.random.default_rng(0).integers(0, 200, SHAPE).astype(np.uint8)
    where = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "FrameOfReferenceUID": "1.2.3.9", "SeriesNumber": 1}
    return data, write_dicom_oct(path, data, **(where | OF_THE_PATIENT | attributes))


def maps():
    """Residuals of a square in the first B-scan, above the marking; of some noise below it elsewhere."""
    found = np.full(SHAPE, 0.1, np.float32)
    found[0, 10:20, 4:12] = 0.8
    return found


@pytest.fixture
def made(tmp_path):
    """The results as they are written, read again, by kind; and the source."""
    data, path = scan(tmp_path / "scan.dcm")
    writer = Results(tmp_path / "out", ALGORITHM, CALIBRATION, True, lambda film: None)
    writer.save_volume(str(path), data, maps(), FIGURES)
    assert not writer.left_out
    found = {name.name.split(".")[-2]: pydicom.dcmread(name) for name in (tmp_path / "out" / "1.2.3").iterdir()}
    return found, pydicom.dcmread(path)


def test_they_stand_in_the_study(made):
    found, source = made
    assert found.keys() == KINDS
    for name in ("StudyInstanceUID", *OF_THE_PATIENT):
        assert {str(one[name].value) for one in found.values()} == {str(source[name].value)}, name
    assert len({one.SeriesInstanceUID for one in found.values()} | {source.SeriesInstanceUID}) == 6
    assert all(NOTICE in one.SeriesDescription and len(one.SeriesDescription) <= 64 for one in found.values())


def test_report(made):
    found, source = made
    (group,) = highdicom.sr.EnhancedSR.from_dataset(found["report"]).content.get_image_measurement_groups()
    measured = {one.name.value: one.value for one in group.get_measurements()}
    # Of 1.5 between the knots 0 and 2.
    expected = {"score": 1.5, "probability": 0.7, "false_positive_rate": 0.05, "highest": 4.0, "share": 0.25}
    assert measured == pytest.approx(expected)
    assert group.get_qualitative_evaluations()[0].value.value == "anomalous"
    assert group.source_images[0].referenced_sop_instance_uid == source.SOPInstanceUID


def in_order_of_the_source(stored, source):
    """The frames of a map by their places: writers sort them by these, and not by the source's numbers."""

    def places(dataset):
        return [tuple(frame.PlanePositionSequence[0].ImagePositionPatient) for frame in dataset.PerFrameFunctionalGroupsSequence]

    by_place = dict(zip(places(stored), stored.pixel_array, strict=True))
    return np.stack([by_place[place] for place in places(source)])


def test_the_parametric_map_is_the_map(made):
    found, source = made
    stored = found["parametric_map"]
    assert (stored.NumberOfFrames, stored.Rows, stored.Columns) == SHAPE
    np.testing.assert_array_equal(in_order_of_the_source(stored, source), maps())
    assert str(source.SOPInstanceUID) in str(stored)


def test_what_is_marked(made):
    """Frame by frame at the place of the square."""
    found, source = made
    marked = highdicom.seg.Segmentation.from_dataset(found["segmentation"])
    whole = marked.get_pixels_by_source_frame(source.SOPInstanceUID, [1, 2, 3])[..., 0]
    np.testing.assert_array_equal(whole, maps() >= 0.5)
    level = highdicom.seg.Segmentation.from_dataset(found["map"])
    shares = level.get_pixels_by_source_frame(source.SOPInstanceUID, [1, 2, 3], rescale_fractional=True)[..., 0]
    np.testing.assert_allclose(shares, np.clip(maps() / 1.0, 0, 1), atol=1 / 255)


def test_the_worst_bscan_is_shown(made, tmp_path):
    data, _ = scan(tmp_path / "again.dcm")
    found, worst = volumes.finding(data, maps(), FIGURES, CALIBRATION)
    assert worst == 0 and found.where == "B-scan 1 of 3" and (found.score, found.anomalous) == (1.5, True)
    np.testing.assert_allclose(found.seen, 2 * data[0].astype(float) / data.max() - 1, atol=0.02)
    pixels = made[0]["overlay"].pixel_array
    assert pixels.ndim == 3 and pixels.shape[-1] == 3


def test_deidentified_in_deidentified_out(tmp_path):
    removed = {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "by hand"}
    data, path = scan(tmp_path / "scan.dcm", **dict.fromkeys(OF_THE_PATIENT, ""), **removed)
    source = pydicom.dcmread(path)
    for result in volumes.objects(source, maps(), volumes.finding(data, maps(), FIGURES, CALIBRATION)[0], ALGORITHM).values():
        assert not any(result.get(name) for name in OF_THE_PATIENT)
        assert {name: result.get(name) for name in removed} == removed


def test_frames_without_places(tmp_path):
    """What needs them is left out; report and overlay are there all the same."""
    data, path = scan(tmp_path / "scan.dcm", frame_positions=False)
    found, _ = volumes.finding(data, maps(), FIGURES, CALIBRATION)
    assert volumes.objects(pydicom.dcmread(path), maps(), found, ALGORITHM).keys() == {"report", "overlay"}


def test_a_volume_of_another_kind_has_no_study(tmp_path):
    (tmp_path / "scan.vol").write_bytes(b"no DICOM")
    writer = Results(tmp_path / "out", ALGORITHM, CALIBRATION, True, lambda film: None)
    writer.save_volume(str(tmp_path / "scan.vol"), np.zeros(SHAPE), maps(), FIGURES)
    assert "no DICOM file" in writer.left_out[0] and not (tmp_path / "out").exists()


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed")
def test_the_standard_finds_no_error(made, tmp_path):
    for path in (tmp_path / "out" / "1.2.3").iterdir():
        said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True).stderr
        assert not [line for line in said.splitlines() if line.startswith("Error")], (path.name, said)
