"""Images of B-scans of different eyes, as public data sets have them."""

import numpy as np
import pytest
from PIL import Image

from fanogan_tf import datasets, pipeline
from fanogan_tf.errors import UserError
from fanogan_tf.oct import dataset
from fanogan_tf.oct.phantom import PhantomSettings, make_phantom
from fanogan_tf.options import Options

ROWS, COLUMNS = 256, 128


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Phantom B-scans, each of another eye, as PNG and JPEG; one picture without a retina."""
    folder = tmp_path_factory.mktemp("bscans")
    seed = 0
    for split, count in (("train_normal", 6), ("test_normal", 2), ("test_anomalous/CNV", 2), ("test_anomalous", 1)):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            scan = make_phantom(seed, PhantomSettings(bscans=2), "p").data[0].astype(np.float64)
            seed += 1
            grey = np.round(255 * (scan - scan.min()) / np.ptp(scan)).astype(np.uint8)
            image = Image.fromarray(grey).resize((COLUMNS, ROWS), Image.Resampling.BOX)
            image.save(folder / split / f"eye{i}.{'png' if i % 2 else 'jpeg'}")
    noise = np.random.default_rng(0).integers(0, 256, (ROWS, COLUMNS), np.uint8)
    Image.fromarray(noise).save(folder / "train_normal" / "noise.png")
    return folder


@pytest.fixture
def options(root):
    return Options(
        dataset="oct",
        data_path=str(root),
        oct_images="single",
        oct_spacing="7.5x46",
        oct_surfaces="shortest_path",
        oct_columns=128,
        oct_height=64,
        image_size="32",
        validation_fraction=0.25,
    )


def test_whole_bscans(options, tmp_path, capfd):
    splits = datasets.load(options, tmp_path)
    assert "1 of 12 B-scans left out, in which no retina is found: train_normal/noise.png" in capfd.readouterr().err
    assert len(splits.train) + len(splits.validation) == 6 and splits.train.image_shape == (32, 32, 1)
    assert splits.test.labels.tolist() == [0, 0, 1, 1, 1] and splits.test_groups == ()
    assert splits.test.class_names.tolist() == ["normal", "normal", "CNV", "CNV", "anomalous"]
    assert splits.test.names[0] == "test_normal/eye0.jpeg"
    # Flattened: the bright pigment epithelium lies along the bottom, the dark vitreous at the top.
    area = splits.test.images[0, ..., 0].astype(float)
    assert area[-3:].mean() > 3 * area[2:8].mean()
    again = datasets.load(options, tmp_path)
    np.testing.assert_array_equal(again.test.images, splits.test.images)


def test_patches_of_them_belong_to_their_bscan(options, tmp_path):
    patched = datasets.load(options.__class__(**vars(options) | {"patches": 3}), tmp_path)
    assert len(patched.train) + 3 * 1 >= 9 and len(patched.test_groups) == 5
    assert [volume.label for volume in patched.test_groups] == [0, 0, 1, 1, 1]
    assert set(patched.test.groups.tolist()) == {volume.name for volume in patched.test_groups}


def test_named_ones_are_scored_as_they_were_trained(options, root, tmp_path):
    named = [root / "test_normal", root / "test_anomalous" / "CNV" / "eye0.jpeg"]
    volumes, images = dataset.open_volumes(named, options, tmp_path)
    splits = datasets.load(options, tmp_path)
    assert volumes == [] and len(images) == 3 and set(images.labels.tolist()) == {-1}
    np.testing.assert_array_equal(images.images[:2], splits.test.images[:2])


def test_spacing_matters_and_is_checked(options, tmp_path):
    assert dataset.assumed_spacing(options) == (0.0075, 0.046)
    for wrong in ("7.5", "7.5x", "0x3", "axb", "1x2x3", "-1x4", "7.5x4600"):
        with pytest.raises(UserError, match=f"--oct_spacing={wrong}: give micrometres"):
            dataset.assumed_spacing(options.__class__(**vars(options) | {"oct_spacing": wrong}))


def test_without_images_or_without_the_flag(options, tmp_path, root):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: no images of B-scans in it; leave out --oct_images=single"):
        dataset.named_volumes([tmp_path / "empty"], single=True)
    with pytest.raises(UserError, match=r"add --oct_images=single"):
        dataset.named_volumes([tmp_path / "empty"])


def test_a_folder_of_them_without_the_flag_is_one_volume(options, tmp_path):
    with pytest.raises(UserError, match=r"one volume cannot be parted; .*different eyes, add --oct_images=single$"):
        datasets.load(options.__class__(**vars(options) | {"oct_images": "volume"}), tmp_path)


@pytest.mark.slow
def test_from_training_to_report(options, tmp_path):
    tiny = {"method": "fanogan", "dim": 2, "latent_dim": 3, "batch_size": 2, "iterations": 2, "encoder_iterations": 2}
    whole = options.__class__(**vars(options) | tiny | {"n_critic": 1, "validation_fraction": 0.5})
    run = pipeline.RunDirectory(tmp_path / "run")
    pipeline.train(run, whole, "all", overwrite=False)
    assert pipeline.score(run, whole, [], run.scores) == 5
    assert pipeline.evaluate(run, whole).startswith("AUROC ")
    assert not run.volume_scores.exists()
