"""The way of a user with films and masks: a finder, a detector of cropped films, new films, an exported model."""

import numpy as np
import pytest
from PIL import Image

from fanogan_tf import load
from fanogan_tf.detection import score_table
from fanogan_tf.errors import UserError
from fanogan_tf.serving import saved_model
from tests.helpers import commands, lung_films
from tests.helpers.image_folders import save

pytestmark = pytest.mark.slow


def done(*arguments):
    ended = commands.run(*arguments)
    assert ended.returncode == 0, ended.stderr
    return ended


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """films/ with masks, new/ with films to score, lungs/ the trained finder, pca/ a run on cropped films."""
    root = tmp_path_factory.mktemp("lungs")
    lung_films.folder(root / "films")
    for seed in (1, 2):
        save(root / "new" / f"{seed}.png", lung_films.film(3000 + seed, 80)[0])
    save(root / "new" / "black.png", np.zeros((70, 90), np.uint8))
    tiny = ("--dim=4", "--batch_size=4", "--iterations=60", "--learning_rate=1e-2", f"--data_path={root / 'films'}")
    trained = done("lungs train", "--dataset=folder", *tiny, f"--run_dir={root / 'lungs'}")
    assert "held-out normal: Dice 0.9" in trained.stdout and "does not read" not in trained.stderr
    of_crops = ("--method=pca", "--dataset=folder", f"--data_path={root / 'films'}", "--image_size=24", "--region=crop")
    done("run", *of_crops, f"--region_from={root / 'lungs'}", f"--run_dir={root / 'pca'}")
    return root


def test_options_that_mean_nothing_are_named(root):
    ended = commands.run("lungs train", f"--run_dir={root / 'none'}", "--dataset=digits", "--kappa=3", "--image_size=64")
    assert "note: lungs train does not read --image_size, --kappa" in ended.stderr
    assert ended.returncode == 1 and "no masks of the lungs for the training films" in ended.stderr


def test_masks_as_files(root, tmp_path):
    ended = done("lungs segment", f"--run_dir={root / 'lungs'}", f"--images={root / 'new'}", f"--output={tmp_path}")
    assert "lungs of 2 of 3 films" in ended.stdout and "black.png (no lungs found)" in ended.stdout
    (mask,) = tmp_path.rglob("1.png.mask.png")
    drawn = lung_films.film(3001, 80)[1]
    found = np.asarray(Image.open(mask)) == 255
    assert 2 * (found & drawn).sum() / (found.sum() + drawn.sum()) > 0.9
    assert len([*tmp_path.rglob("*.overlay.png")]) == 2 and not [*tmp_path.rglob("black*")]


def test_new_films_are_cropped_by_the_detector_itself(root, tmp_path):
    ended = done("score", f"--run_dir={root / 'pca'}", f"--images={root / 'new'}", f"--output={tmp_path / 'new.csv'}")
    assert "1 films are not scored" in ended.stderr and "black.png (no lungs found)" in ended.stderr
    table = score_table.read(tmp_path / "new.csv")
    assert len(table) == 2
    # The finder's run is not needed any more: the detector holds it.
    (root / "lungs").rename(root / "moved")
    try:
        scores = load(root / "pca").score([root / "new" / "1.png", root / "new" / "2.png"]).scores
    finally:
        (root / "moved").rename(root / "lungs")
    np.testing.assert_allclose(scores, table.score, rtol=1e-6)


def test_the_exported_model_takes_whole_films(root, tmp_path):
    done("export", f"--run_dir={root / 'pca'}", f"--output={tmp_path / 'model'}")
    verified = done("verify_export", f"--run_dir={root / 'pca'}", f"--model={tmp_path / 'model'}")
    assert "12 test images: scores differ by at most" in verified.stdout
    served = saved_model.load(tmp_path / "model")
    assert served.image_shape == (256, 256, 1)
    contents = [(root / "new" / name).read_bytes() for name in ("1.png", "black.png")]
    outputs = served.from_bytes(contents)
    assert outputs["region_found"].tolist() == [True, False]
    ours = load(root / "pca").score(root / "new" / "1.png").scores
    np.testing.assert_allclose(outputs["score"][:1], ours, rtol=1e-4)
    with pytest.raises(UserError, match=r"black.png: no lungs found"):
        served.score([root / "new" / "1.png", root / "new" / "black.png"])
    np.testing.assert_allclose(served.score(root / "new" / "1.png").scores, ours, rtol=1e-4)
    ended = done("score", f"--model={tmp_path / 'model'}", f"--images={root / 'new'}", f"--output={tmp_path / 'new.csv'}")
    assert "no lungs, or strange ones, in 1 films" in ended.stderr and "black.png" in ended.stderr
