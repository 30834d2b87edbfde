import shutil
import subprocess
import sys

import highdicom
import numpy as np
import pydicom
import pytest

from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.reading.finding import NOTICE, Algorithm, Finding
from fanogan_tf.reading.overlay import picture
from fanogan_tf.reading.results import Results, objects
from tests.helpers.oct_files import write_dicom

ALGORITHM = Algorithm("fanogan", "0.1.0", "ab" * 32, 0.05)
RESIDUAL = np.linspace(0.0, 1.0, 64).reshape(8, 8)
CALIBRATION = Calibration(1.0, np.array([0.0, 2.0]), np.array([0.1, 0.9]), 1.0, 9, marked_from=0.5)
FINDING = Finding(3.25, 0.987, True, np.zeros((8, 8)), RESIDUAL, 0.5)
OF_THE_PATIENT = {
    "PatientID": "P7",
    "PatientName": "Doe^Jane",
    "PatientSex": "F",
    "StudyDate": "20260102",
    "AccessionNumber": "A1",
}
KINDS = {"report", "overlay", "segmentation", "map"}


def film(path, **attributes):
    """A synthetic X-ray of 40 x 48 pixels."""
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 48)).astype(np.uint16)
    where = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "Modality": "DX"}
    return write_dicom(path, pixels, **(where | OF_THE_PATIENT | attributes))


def results(path, finding=FINDING, algorithm=ALGORITHM):
    return objects(pydicom.dcmread(path), np.zeros((40, 48), np.float32), finding, algorithm)


@pytest.fixture
def made(tmp_path):
    """The results of one image, written and read again, by kind; and the image."""
    source = pydicom.dcmread(film(tmp_path / "film.dcm"))
    found = {}
    for kind, result in results(tmp_path / "film.dcm").items():
        result.save_as(tmp_path / f"{kind}.dcm", enforce_file_format=True)
        found[kind] = pydicom.dcmread(tmp_path / f"{kind}.dcm")
    return found, source


def test_they_stand_in_the_study_of_the_image_in_series_of_their_own(made):
    found, source = made
    assert found.keys() == KINDS
    for name in ("StudyInstanceUID", *OF_THE_PATIENT):
        assert {str(one[name].value) for one in found.values()} == {str(source[name].value)}, name
    for name in ("SeriesInstanceUID", "SOPInstanceUID"):
        uids = {one[name].value for one in found.values()}
        assert len(uids) == 4 and source[name].value not in uids
    assert all(NOTICE in one.SeriesDescription and len(one.SeriesDescription) <= 64 for one in found.values())


def test_the_same_result_twice_is_one_object(tmp_path):
    path = film(tmp_path / "film.dcm")
    first, again = results(path), results(path)
    other = results(path, algorithm=Algorithm("fanogan", "0.1.0", "cd" * 32, 0.05))
    for kind in KINDS:
        assert first[kind].SOPInstanceUID == again[kind].SOPInstanceUID != other[kind].SOPInstanceUID
        assert first[kind].SeriesInstanceUID == again[kind].SeriesInstanceUID != other[kind].SeriesInstanceUID


def test_report(made):
    found, source = made
    report = highdicom.sr.EnhancedSR.from_dataset(found["report"])
    (group,) = report.content.get_image_measurement_groups()
    measured = {one.name.value: one.value for one in group.get_measurements()}
    assert measured == {"score": 3.25, "probability": 0.987, "false_positive_rate": 0.05}
    (decision,) = group.get_qualitative_evaluations()
    assert decision.value.value == "anomalous"
    (image,) = group.source_images
    assert image.referenced_sop_instance_uid == source.SOPInstanceUID
    text = found["report"].to_json()
    assert "ab" * 32 in text and "fanogan_tf fanogan" in text and "0.1.0" in text


def test_segmentation_and_map(made):
    """Of the image's size; marked where the residual reaches 1/2, where the map is at 1/2 of its scale."""
    found, source = made
    for kind in ("segmentation", "map"):
        assert (found[kind].Rows, found[kind].Columns) == (40, 48)
        assert str(source.SOPInstanceUID) in str(found[kind])
    marked = highdicom.seg.Segmentation.from_dataset(found["segmentation"]).pixel_array
    level = highdicom.seg.Segmentation.from_dataset(found["map"]).pixel_array / 255
    assert 0.4 < marked.mean() < 0.6 and marked[0, 0] == 0 and marked[-1, -1] == 1
    assert level[marked == 1].min() >= 0.49 and level[marked == 0].max() <= 0.51
    assert level[0, 0] == 0.0 and level[-1, -1] == 1.0


def test_nothing_marked_says_so(tmp_path):
    path = film(tmp_path / "film.dcm")
    found = results(path, Finding(0.1, 0.2, False, np.zeros((8, 8)), RESIDUAL, 1.5))
    assert found["segmentation"].pixel_array.max() == 0
    without = results(path, Finding(0.1, 0.2, False, np.zeros((8, 8))))
    assert without.keys() == {"report", "overlay"}


def test_a_cropped_film():
    """The map of what was seen stands at its place, whether the detector says where that is or the model itself."""
    said = {"score": 1.0, "probability": 0.5, "anomalous": False, "residual": np.full((8, 8, 1), 0.7)}
    seen = np.zeros((8, 8, 1))
    assert Finding.of(said, seen, 0.5, whole_seen=False).residual is None
    expected = np.zeros((256, 256))
    expected[16:80, 32:200] = 0.7
    for more, box in (({}, (16, 32, 80, 200)), ({"region_box": np.array([16, 32, 80, 200])}, None)):
        np.testing.assert_allclose(Finding.of(said | more, seen, 0.5, False, box).residual, expected, rtol=1e-6)


def test_picture():
    """The image in grey where the residual is 0, red where it is strong, words below."""
    strong = np.zeros((64, 64))
    strong[:, 32:] = 1.0
    shown = picture(np.full((300, 300), -1.0, np.float32), Finding(1.0, 0.5, False, np.zeros((64, 64)), strong))
    assert shown.shape == (348, 300, 3) and shown.dtype == np.uint8
    assert shown[150, 10].tolist() == [0, 0, 0] and shown[150, 290].tolist() == [255, 32, 32]
    assert shown[300:].max() > 200
    # Of what the networks saw, where the map has no place on the whole image; small ones are enlarged.
    assert picture(np.ones((300, 300)), Finding(1.0, 0.5, False, np.full((64, 64), -1.0))).shape == (304, 256, 3)
    assert picture(np.ones((3000, 1500)), Finding(1.0, 0.5, False, np.zeros((64, 64)), strong)).shape == (1072, 512, 3)


def test_deidentified_in_deidentified_out(tmp_path):
    removed = {"PatientIdentityRemoved": "YES", "DeidentificationMethod": "by hand"}
    path = film(tmp_path / "film.dcm", **dict.fromkeys(OF_THE_PATIENT, ""), **removed)
    for result in results(path).values():
        assert not any(result.get(name) for name in OF_THE_PATIENT)
        assert {name: result.get(name) for name in removed} == removed


def test_a_path_in_place_of_a_uid(tmp_path, capsys):
    """What a file says of itself never chooses where anything is written."""
    with pytest.warns(UserWarning, match="Invalid value for VR UI"):
        path = film(tmp_path / "in" / "film.dcm", StudyInstanceUID="../../evil")
    writer = Results(tmp_path / "a" / "b" / "out", ALGORITHM, CALIBRATION, True, lambda film: None)
    said = {"score": [1.0], "probability": [0.5], "anomalous": [False], "residual": RESIDUAL[np.newaxis, ..., np.newaxis]}
    writer.save({"name": [str(path)], "image": np.zeros((1, 8, 8, 1))}, {name: np.array(value) for name, value in said.items()})
    writer.tell()
    assert "no DICOM results of 1 images" in capsys.readouterr().err
    assert writer.left_out[0].endswith("(it has no valid StudyInstanceUID)")
    assert [found.name for found in tmp_path.rglob("*.dcm")] == ["film.dcm"]


def test_other_images_have_no_study(tmp_path, capsys):
    (tmp_path / "image.png").write_bytes(b"no DICOM")
    writer = Results(tmp_path / "out", ALGORITHM, CALIBRATION, True, lambda film: None)
    writer.save({"name": [str(tmp_path / "image.png")], "image": np.zeros((1, 8, 8, 1))}, {"score": np.zeros(1)})
    assert "no DICOM file" in writer.left_out[0] and not (tmp_path / "out").exists()


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (Debian: dicom3tools) is not installed")
@pytest.mark.parametrize("known", [{}, {"PatientOrientation": ["L", "F"], "Laterality": "L", "BodyPartExamined": "CHEST"}])
def test_the_standard_finds_no_error(tmp_path, known):
    path = film(tmp_path / "film.dcm", **known)
    for kind, result in results(path).items():
        result.save_as(tmp_path / f"{kind}.dcm", enforce_file_format=True)
        said = subprocess.run(["dciodvfy", str(tmp_path / f"{kind}.dcm")], capture_output=True, text=True).stderr
        assert not [line for line in said.splitlines() if line.startswith("Error")], (kind, said)


def test_highdicom_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(Exception, match=r"--dicom needs highdicom: pip install 'fanogan_tf\[reading\]'"):
        Results(tmp_path, ALGORITHM, CALIBRATION, True, lambda film: None)
