"""What reaches a PACS is what the table says."""

import csv

import highdicom
import numpy as np
import pydicom
import pytest

from tests.helpers.commands import fail, succeed
from tests.helpers.oct_files import write_dicom

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Three synthetic X-rays of one study, and a picture that is none."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 65536, (30, 20)).astype(np.uint16)
        where = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "SOPInstanceUID": f"1.2.3.1.{number + 1}"}
        write_dicom(folder / f"{number}.dcm", pixels, Modality="DX", **where)
    return folder


def scores_of(folder):
    """The score of each report below `folder`, by the image that it speaks of."""
    found = {}
    for path in folder.rglob("*.report.dcm"):
        report = highdicom.sr.EnhancedSR.from_dataset(pydicom.dcmread(path))
        (group,) = report.content.get_image_measurement_groups()
        (image,) = group.source_images
        found[image.referenced_sop_instance_uid] = group.get_measurements()[0].value
    return found


def test_of_a_run_and_of_its_export(trained, films, tmp_path):
    run = trained[0]
    made = {}
    succeed("export", f"--run_dir={run}", f"--output={tmp_path / 'model'}")
    for name, source in (("run", f"--run_dir={run}"), ("model", f"--saved_model={tmp_path / 'model'}")):
        table = tmp_path / f"{name}.csv"
        said = succeed("score", source, f"--images={films}", f"--output={table}", f"--dicom={tmp_path / name}")
        assert f"DICOM results of 3 images: {tmp_path / name}" in said
        with open(table, newline="", encoding="utf-8") as file:
            rows = {f"1.2.3.1.{int(row['image'][-5]) + 1}": float(row["score"]) for row in csv.DictReader(file)}
        found = scores_of(tmp_path / name)
        assert found.keys() == rows.keys()
        for image, score in found.items():
            assert score == pytest.approx(rows[image], rel=1e-6)
        made[name] = sorted(path.relative_to(tmp_path / name).as_posix() for path in (tmp_path / name).rglob("*.dcm"))
    assert made["run"] == made["model"] and len(made["run"]) == 12
    uids = [{pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / name).rglob("*.dcm")} for name in made]
    assert uids[0] == uids[1]


def test_without_images_there_is_no_study(trained):
    line = fail("score", f"--run_dir={trained[0]}", "--dicom=results")
    assert "--dicom=results" in line and "--images" in line


def test_a_node_without_what_it_needs(tmp_path):
    given = {"model": tmp_path, "folder": tmp_path / "node", "peers": "A@127.0.0.1", "destination": "A@127.0.0.1:4242"}
    for name, value, said in (
        ("model", "", "--model: has to be given, as in --model=models/first"),
        ("peers", "", "--peers: has to be given"),
        ("destination", "A@127.0.0.1", "--destination=A@127.0.0.1: give TITLE@ADDRESS:PORT"),
        ("model", tmp_path, "no SavedModel here"),
    ):
        line = fail("node", *(f"--{flag}={one}" for flag, one in (given | {name: value}).items()))
        assert said in line
