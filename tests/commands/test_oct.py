"""Volumes of an OCT scanner, from files to maps, with the smallest f-AnoGAN. What the scanner saw is a synthetic phantom."""

import csv
import json

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from fanogan_tf import pipeline
from fanogan_tf.detection import score_table
from fanogan_tf.oct import volume_scores
from fanogan_tf.oct.phantom import PhantomSettings, make_phantom
from fanogan_tf.oct.volume import INTRARETINAL_FLUID, SUBRETINAL_FLUID
from fanogan_tf.options import Options
from fanogan_tf.reading.ledger import Ledger, State
from fanogan_tf.reading.model import exported
from fanogan_tf.reading.node import Node
from fanogan_tf.run_directory import RunDirectory
from tests.helpers.commands import fail, run, succeed
from tests.helpers.oct_files import raw_values, write_dicom, write_dicom_oct, write_vol, write_xml
from tests.reading.test_volumes import in_order_of_the_source

pytestmark = pytest.mark.slow

SPACING = (0.123, 0.00387, 0.02266)
SMALL = PhantomSettings(bscans=3, height=320, width=128, spacing=SPACING, averaging=9)
ILL = PhantomSettings(3, 320, 128, SPACING, 9, lesions=(INTRARETINAL_FLUID, SUBRETINAL_FLUID))
TINY_OCT = (
    "--dataset=oct",
    "--image_size=32",
    "--patches=6",
    "--oct_columns=64",
    "--oct_height=96",
    "--oct_stride=16",
    "--dim=2",
    "--latent_dim=2",
    "--batch_size=8",
    "--n_critic=2",
    "--iterations=4",
    "--encoder_iterations=4",
)
PATCHES = 3 * 3 * 2  # B-scans, rows and columns of the grid.


def write(path, seed, settings=SMALL):
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = make_phantom(seed, settings)
    write_vol(path, raw_values(volume.data), spacing=volume.spacing)
    return volume


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run on volumes, and the folder of its data."""
    folder = tmp_path_factory.mktemp("oct")
    for i in range(3):
        write(folder / f"data/train_normal/{i}.vol", i)
    write(folder / "data/test_normal/healthy.vol", 3)
    ill = write(folder / "data/test_anomalous/ill.vol", 4, ILL)
    (folder / "data/test_masks").mkdir()
    np.save(folder / "data/test_masks/ill.npy", ill.lesions)
    succeed("run", *TINY_OCT, f"--data_path={folder / 'data'}", f"--run_dir={folder / 'run'}")
    return folder / "run", folder / "data"


def test_report_on_patches_and_volumes(trained):
    folder, _ = trained
    table = score_table.read(folder / "scores.csv")
    assert len(table) == 2 * PATCHES and set(table.label) == {0, 1}
    volumes = volume_scores.read(folder / "scores.volumes.csv")
    assert [row["volume"] for row in volumes] == ["test_normal/healthy.vol", "test_anomalous/ill.vol"]
    healthy = table.score[[name.startswith("test_normal/healthy.vol#") for name in table.image]]
    assert volumes[0]["score_mean"] == pytest.approx(healthy.mean()) and volumes[0]["score_max"] == pytest.approx(healthy.max())
    metrics = json.loads((folder / "report/metrics.json").read_text())
    assert metrics["pixel"]["anomalous_pixels"] > 0 and metrics["pixel"]["regions"]["regions"] > 0
    assert metrics["volumes"]["anomalous_volumes"] == 1 and 0 <= metrics["volumes"]["pixel"]["auroc"] <= 1
    assert "Volumes" in (folder / "report/index.html").read_text()


def test_the_same_scan_in_three_formats(trained, tmp_path):
    """Each goes through to maps; as data and spacing come back exactly, scores and maps are the same."""
    folder, _ = trained
    volume = write(tmp_path / "a/scan.vol", 78, ILL)
    write_xml(tmp_path / "b", volume.data, spacing=volume.spacing)
    study = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "FrameOfReferenceUID": "1.2.3.9", "SeriesNumber": 1}
    write_dicom_oct(tmp_path / "scan.dcm", volume.data, spacing=volume.spacing, **study)
    images = [f"--images={tmp_path / name}" for name in ("a/scan.vol", "b", "scan.dcm")]
    output, maps = tmp_path / "out/found.csv", tmp_path / "maps"
    results = tmp_path / "results"
    printed = succeed("score", f"--run_dir={folder}", *images, f"--output={output}", f"--maps={maps}", f"--dicom={results}")
    assert f"scored {3 * PATCHES} images: {output}" in printed and f"DICOM results of 1 images: {results}" in printed

    table = score_table.read(output)
    assert set(table.label) == {-1} and np.isfinite(table.score).all()
    # But for the last bit, which depends on the place in the batch.
    for first in (PATCHES, 2 * PATCHES):
        np.testing.assert_allclose(table.score[first : first + PATCHES], table.score[:PATCHES], rtol=1e-6)
    rows = volume_scores.read(tmp_path / "out/found.volumes.csv")
    assert [(row["patches"], row["left_out"], row["eye"]) for row in rows] == [(PATCHES, 0, "OD")] * 3

    found = sorted(maps.rglob("*.residual.nii.gz"))
    assert len(found) == 3
    loaded = [nibabel.load(path) for path in found]
    for image in loaded:
        assert image.shape == (128, 320, 3)
        np.testing.assert_allclose(image.header.get_zooms(), (volume.spacing[2], volume.spacing[1], volume.spacing[0]), rtol=1e-6)
        np.testing.assert_allclose(image.get_fdata(), loaded[0].get_fdata(), rtol=1e-5, atol=1e-6)
    # What the radiologist gets says the same.
    (stored,), (report,) = (results.rglob(f"*.{kind}.dcm") for kind in ("parametric_map", "report"))
    told = in_order_of_the_source(pydicom.dcmread(stored), pydicom.dcmread(tmp_path / "scan.dcm"))
    np.testing.assert_allclose(told.transpose(2, 1, 0), loaded[2].get_fdata(), rtol=1e-5, atol=1e-6)
    (group,) = highdicom.sr.EnhancedSR.from_dataset(pydicom.dcmread(report)).content.get_image_measurement_groups()
    measured = {one.name.value: one.value for one in group.get_measurements()}
    figures = volume_scores.read(tmp_path / "out/found.volumes.csv")[2]
    assert [measured[name] for name in ("score", "highest", "share")] == pytest.approx(
        [figures[name] for name in ("score_mean", "score_max", "share_anomalous")], rel=1e-6
    )
    # The map ends where the retina ends.
    residual, rows, bottom = loaded[0].get_fdata(), np.arange(320)[None, :, None], volume.surfaces["BM"].T[:, None, :]
    assert (residual > 0)[(rows < bottom - 5) & (rows > bottom - 60)].mean() > 0.98
    assert (residual > 0)[(rows > bottom + 5) & (residual >= 0)].mean() < 0.01
    assert len(list(maps.rglob("bscan_*.overlay.png"))) == 9 and len(list(maps.rglob("*.en_face.png"))) == 3
    assert Image.open(next(maps.rglob("bscan_001.overlay.png"))).size == (128, 320)


def test_a_scan_without_signal_is_named_left_out_and_the_rest_scored(trained, tmp_path):
    volume = make_phantom(79, SMALL)
    volume.data[1] = 0
    write_vol(tmp_path / "gap.vol", raw_values(volume.data), spacing=volume.spacing)
    finished = run("score", f"--run_dir={trained[0]}", f"--images={tmp_path / 'gap.vol'}", f"--output={tmp_path / 'o.csv'}")
    assert finished.returncode == 0
    assert "gap.vol: 1 of 3 B-scans left out (B-scan 1: " in finished.stderr
    assert len(score_table.read(tmp_path / "o.csv")) == PATCHES * 2 // 3
    with open(tmp_path / "o.volumes.csv") as file:
        assert next(csv.DictReader(file))["left_out"] == "1"


def broken(folder, kind):
    path = folder / f"{kind}.vol"
    if kind == "truncated":
        write(path, 1)
        path.write_bytes(path.read_bytes()[:-1000])
    elif kind == "picture":
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "p.png")
        (folder / "p.png").rename(path)
    elif kind == "circle":
        write_vol(path, raw_values(make_phantom(1, SMALL).data), spacing=SPACING, pattern=2)
    elif kind == "noise":
        noise = np.random.default_rng(0).integers(0, 60, (3, 320, 128)).astype(np.uint8)
        write_vol(path, raw_values(noise), spacing=SPACING)
    elif kind == "report":
        path = write_dicom(folder / "report.dcm", None)
    elif kind == "unknown":
        path = folder / "unknown.xyz"
        path.touch()
    return path


@pytest.mark.parametrize("kind", ["truncated", "picture", "circle", "noise", "report", "unknown", "missing"])
def test_unusable_volumes_end_in_one_line_that_names_them(trained, tmp_path, kind):
    path = broken(tmp_path, kind)
    line = fail(
        "score", f"--run_dir={trained[0]}", f"--images={path}", f"--output={tmp_path / 'o.csv'}", f"--maps={tmp_path / 'm'}"
    )
    assert line.startswith(str(path)) and "\n" not in line
    assert not (tmp_path / "o.csv").exists() and not (tmp_path / "m").exists()
    if kind == "circle":
        assert "circle" in line and "parallel" in line


def test_masks_of_another_shape(trained, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for split in ("train_normal", "test_normal", "test_anomalous"):
        (data / split).symlink_to(trained[1] / split)
    (data / "test_masks").mkdir()
    np.save(data / "test_masks/ill.npy", np.zeros((3, 320, 64), np.uint8))
    line = fail("train", *TINY_OCT, f"--data_path={data}", f"--run_dir={tmp_path / 'run'}")
    assert "ill.npy" in line and "64" in line and "128" in line and "ill.vol" in line


def test_volumes_by_an_exported_model(trained, tmp_path):
    """The same tables and maps as by the run, which is not needed."""
    folder, data = trained
    run, volumes = RunDirectory(folder), [data / "test_anomalous" / "ill.vol"]
    options = run.options(Options(), frozenset())
    model = pipeline.export(run, options, tmp_path / "m", 0)
    pipeline.score(run, options, volumes, tmp_path / "run/a.csv", str(tmp_path / "run/maps"))
    pipeline.score_exported(model, Options(), frozenset(), volumes, tmp_path / "model/a.csv", str(tmp_path / "model/maps"))
    ours, theirs = (score_table.read(tmp_path / name / "a.csv") for name in ("run", "model"))
    assert ours.image.tolist() == theirs.image.tolist() and len(ours) == PATCHES
    np.testing.assert_allclose(theirs.score, ours.score, rtol=1e-5)
    scores = [volume_scores.read(tmp_path / name / "a.volumes.csv")[0]["score_mean"] for name in ("run", "model")]
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)
    names = [
        sorted(path.relative_to(tmp_path / name) for path in (tmp_path / name / "maps").rglob("*")) for name in ("run", "model")
    ]
    assert names[0] == names[1] and any(path.name.endswith(".residual.nii.gz") for path in names[0])
    _a_node_says_the_same(model, scores[1], tmp_path)


def _a_node_says_the_same(model, score, folder):
    """Of the volume as DICOM; and of a film it says that the model is not for it."""
    study = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.1", "FrameOfReferenceUID": "1.2.3.9", "SeriesNumber": 1}
    volume = make_phantom(4, ILL)
    scan = write_dicom_oct(folder / "scan.dcm", volume.data, spacing=volume.spacing, **study)
    film = write_dicom(folder / "film.dcm", np.zeros((8, 8), np.uint8), Modality="DX")
    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    node = Node(exported(model), ledger, folder, outbox=None)
    for number, path in enumerate((scan, film)):
        ledger.enter(f"1.{number}", "1.2.3", "SENDER", path, "digest")
        node.score(ledger.next(State.RECEIVED))
    row, other = ledger.rows()
    assert (row.state, other.state) == (State.SCORED, State.LEFT) and row.score == pytest.approx(score, rel=1e-5)
    assert "of modality DX, and the model is for OPT" in other.reason
    kinds = {path.stem for path in node.results(row).glob("*.dcm")}
    assert kinds == {"report", "overlay", "segmentation", "map", "parametric_map"}
    assert {path.name for path in node.results(row).glob("*.png")} == {"seen.png", "residual.png"}
