import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.data.organ import FILM
from fanogan_tf.detection import regions
from fanogan_tf.detection.regions import FOLDER, RegionFinder
from fanogan_tf.errors import UserError
from fanogan_tf.lungs import training
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.optimization import Adam
from tests.helpers import lung_films
from tests.helpers.tiny import assert_same, state


def test_dice_loss_by_hand():
    """p = 1/2 everywhere, half of four pixels drawn: 1 - 2 * 1 / (2 + 2) = 1/2; and nearly 0 where all is right."""
    drawn = tf.constant([[[[1.0], [1.0]], [[0.0], [0.0]]]])
    assert float(training.dice_loss(tf.zeros_like(drawn), drawn)) == pytest.approx(0.5)
    assert float(training.dice_loss(40.0 * drawn - 20.0, drawn)) == pytest.approx(0.0, abs=1e-6)


def test_overlap_by_hand():
    """3 and 4 pixels, 2 in both: Dice 4 / 7, IoU 2 / 5. Nothing found of nothing is right."""
    found, drawn = np.zeros((3, 4, 4), bool), np.zeros((3, 4, 4), bool)
    found[0, 0, :3] = drawn[0, 0, 1:] = drawn[0, 1, 0] = found[2, 0, 0] = True
    dice, iou = training.overlap(found, drawn)
    np.testing.assert_allclose(dice, [4 / 7, 1.0, 0.0])
    np.testing.assert_allclose(iou, [2 / 5, 1.0, 0.0])


def batch(count=4):
    films, drawn = zip(*(lung_films.film(seed, FILM) for seed in range(count)), strict=True)
    images = np.stack(films)[..., None].astype(np.float32) / 127.5 - 1
    return {"image": tf.constant(images), "region": tf.constant(np.stack(drawn)[..., None].astype(np.float32))}


def made(seed=0):
    keras.utils.set_random_seed(seed)
    model = training.LungTraining(regions.unet(2), seed=seed)
    model.compile(Adam(1e-2))
    return model


def test_films_and_masks_are_changed_alike():
    """What is dark in the film stays what is drawn, wherever both are moved; and no two steps change them alike."""
    model, some = made(), batch()
    films, drawn = model._changed(some["image"], some["region"])
    inside, around = tf.boolean_mask(films, drawn > 0.99), tf.boolean_mask(films, (drawn < 0.01) & (films > -1.0))
    assert float(tf.reduce_max(inside)) < float(tf.reduce_mean(around))
    assert not np.allclose(drawn, some["region"]) and films.shape == some["image"].shape
    model.step.assign_add(1)
    assert not np.allclose(drawn, model._changed(some["image"], some["region"])[1])


def test_same_seed_same_numbers():
    ends = []
    for _ in range(2):
        model, some = made(), batch(2)
        for _ in range(2):
            model.train_step(some)
        ends.append(state(model))
    assert_same(*ends)


TINY = Options(dataset="folder", dim=4, batch_size=4, learning_rate=1e-2, checkpoint_every=1000, sample_every=1000)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return lung_films.folder(tmp_path_factory.mktemp("films"))


@pytest.mark.slow
def test_it_finds_lungs(films, tmp_path):
    run = RunDirectory(tmp_path / "run")
    found = training.train(run, dataclasses.replace(TINY, data_path=str(films), iterations=60), overwrite=False)
    assert found.keys() == {"held-out normal", "test normal", "test anomalous"}
    assert min(of["dice"] for of in found.values()) > 0.9 and sum(of["left_out"] for of in found.values()) == 0
    assert "held-out normal: Dice 0.9" in training.summary(found)
    finder = RegionFinder.load(run.path / FOLDER)
    low, high = finder.limits.area
    assert 0.1 < low < 0.25 < high < 0.4 and 0.3 < finder.limits.balance < 0.42 and finder.limits.parts == 2


@pytest.mark.slow
def test_resumed_it_ends_as_in_a_row(films, tmp_path):
    states = []
    for name, ends in (("once", (4,)), ("twice", (2, 4))):
        run = RunDirectory(tmp_path / name)
        for iterations in ends:
            options = dataclasses.replace(TINY, data_path=str(films), iterations=iterations, dim=2, deterministic=True)
            training.train(run, options, overwrite=False)
        states.append(tuple(variable.numpy().tobytes() for variable in RegionFinder.load(run.path / FOLDER).network.variables))
    assert states[0] == states[1]


def test_films_without_masks(films, tmp_path):
    root = tmp_path / "films"
    lung_films.folder(root, train=4, test=1)
    for path in root.glob("*_regions"):
        path.rename(tmp_path / path.name)
    with pytest.raises(UserError, match="no masks of the lungs for the training films; add them"):
        training.train(RunDirectory(tmp_path / "run"), dataclasses.replace(TINY, data_path=str(root), iterations=1), False)


def test_no_finder_there(tmp_path):
    with pytest.raises(UserError, match=rf"{tmp_path}/finder: no trained finder of lungs here; fanogan lungs train makes one"):
        regions.finder_of(Options(region_from=str(tmp_path)))
