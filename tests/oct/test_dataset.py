import dataclasses

import numpy as np
import pytest

from fanogan_tf import datasets
from fanogan_tf.errors import UserError
from fanogan_tf.oct import dataset
from fanogan_tf.oct.phantom import sets as phantom_sets
from fanogan_tf.oct.preparation import PreparedVolume
from fanogan_tf.oct.volume import DETACHMENT, FOCI, INTRARETINAL_FLUID
from fanogan_tf.options import Options

KINDS = (FOCI, INTRARETINAL_FLUID, DETACHMENT)
PHANTOM = Options(
    dataset="oct_phantom",
    image_size="32",
    patches=5,
    oct_columns=64,
    oct_height=96,
    oct_surfaces="file",
    phantom_bscans=2,
    phantom_train_volumes=2,
    phantom_validation_volumes=1,
    phantom_test_volumes=1,
    phantom_test="development",
)


def prepared(name, label, lesions=None, scans=(0, 2)):
    areas = np.arange(len(scans) * 16 * 24, dtype=np.uint16).reshape(len(scans), 16, 24)
    surface = np.zeros((len(scans), 24), np.int64)
    return PreparedVolume(
        name,
        "OD",
        (3, 40, 24),
        (1.0, 1.0, 1.0),
        areas,
        np.array(scans),
        surface,
        surface,
        (),
        lesions,
        KINDS if label else (),
        label,
    )


def test_patches_of_healthy_eyes_are_normal():
    patches = dataset.grid_patches([prepared("h", 0)], (8, 8))
    assert len(patches) == 2 * 6 and patches.masks is None
    assert patches.names.tolist()[:2] == ["h#0@0,0", "h#0@0,8"] and patches.names[-1] == "h#2@8,16"
    assert set(patches.labels.tolist()) == {0} and set(patches.class_names.tolist()) == {"normal"}


def test_one_pixel_of_fluid_makes_a_patch_anomalous():
    lesions = np.zeros((2, 16, 24), np.uint8)
    lesions[0, 7, 7] = 2  # One pixel of fluid in the first patch.
    lesions[0, 0:4, 8:12] = 1  # Foci alone in the second.
    lesions[0, 8, 0:6], lesions[0, 9, 0:2] = 1, 3  # Few pixels of a detachment among more of foci, in the fourth.
    patches = dataset.grid_patches([prepared("healthy", 0), prepared("ill", 1, lesions)], (8, 8))
    assert patches.labels[:12].tolist() == [0] * 12
    assert patches.labels[12:18].tolist() == [1, -1, 0, 1, 0, 0]
    assert patches.class_names[12:18].tolist() == [INTRARETINAL_FLUID, FOCI, "normal", DETACHMENT, "normal", "normal"]
    masks = patches.masks[12:18]
    assert masks.sum(axis=(1, 2, 3)).tolist() == [1, 0, 0, 2, 0, 0] and masks[0, 7, 7, 0] == 1


def test_eyes_that_nobody_annotated_leave_their_patches_unlabelled():
    patches = dataset.grid_patches([prepared("ill", 1), prepared("found", -1)], (8, 8))
    assert set(patches.labels.tolist()) == {-1}
    assert patches.class_names[0] == "unlabelled" and patches.class_names[-1] == ""


def test_phantom_splits(tmp_path):
    splits = datasets.load(PHANTOM, tmp_path)
    assert len(splits.train) == 2 * 2 * 5 and splits.train.image_shape == (32, 32, 1)
    assert len(splits.validation) == 2 * 3 * 2 and len(splits.test) == 2 * 12
    assert set(splits.train.labels.tolist()) == set(splits.validation.labels.tolist()) == {0}
    assert [volume.name for volume in splits.test_groups] == ["synthetic_phantom/healthy_000", "synthetic_phantom/diseased_000"]
    assert 1 in splits.test.labels[12:] and splits.test.masks[:].any()
    np.testing.assert_array_equal(splits.test.masks[:].any(axis=(1, 2, 3)), splits.test.labels == 1)


def test_training_patches_depend_on_the_split_seed_alone(tmp_path):
    first = datasets.load(PHANTOM, tmp_path).train
    again = datasets.load(dataclasses.replace(PHANTOM, seed=7), tmp_path).train
    other = datasets.load(dataclasses.replace(PHANTOM, split_seed=7), tmp_path).train
    np.testing.assert_array_equal(first.images[:], again.images[:])
    assert first.names.tolist() != other.names.tolist()


def test_a_shared_cache_is_used(tmp_path):
    datasets.load(dataclasses.replace(PHANTOM, oct_cache=str(tmp_path / "shared")), tmp_path / "own")
    assert len(list((tmp_path / "shared").glob("volume-*"))) == 5 and not (tmp_path / "own").exists()


def test_no_seed_and_no_size_of_lesion_is_in_two_sets():
    def seeds(options):
        return {split: {p.seed for p in found} for split, found in phantom_sets.phantoms(options).items()}

    def scales(options):
        return {p.settings.lesion_scale for p in phantom_sets.phantoms(options)["test"] if p.settings.lesions}

    many = dataclasses.replace(PHANTOM, phantom_train_volumes=200, phantom_validation_volumes=50, phantom_test_volumes=50)
    final = dataclasses.replace(many, phantom_test="final")
    development, frozen = seeds(many), seeds(final)
    sets = [development["train"], development["validation"], development["test"], frozen["test"]]
    assert [len(some) for some in sets] == [200, 50, 100, 100] and len(set.union(*sets)) == 450
    for low, high in scales(final):
        assert all(high <= least or low >= most for least, most in scales(many))


def test_folders_of_volumes(tmp_path, monkeypatch):
    for path in (
        "train_normal/a.vol",
        "train_normal/b.vol",
        "test_normal/c.vol",
        "test_anomalous/cysts/d.vol",
        "test_anomalous/e.vol",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "test_masks/cysts").mkdir(parents=True)
    (tmp_path / "test_masks/cysts/d.nii.gz").touch()
    found = dataset._find(Options(dataset="oct", data_path=str(tmp_path)))
    assert {split: [file.name for file in files] for split, files in found.items()} == {
        "train": ["train_normal/b.vol"] if found["train"][0].name.endswith("b.vol") else ["train_normal/a.vol"],
        "validation": ["train_normal/a.vol"] if found["train"][0].name.endswith("b.vol") else ["train_normal/b.vol"],
        "test": ["test_normal/c.vol", "test_anomalous/cysts/d.vol", "test_anomalous/e.vol"],
    }
    assert [file.label for file in found["test"]] == [0, 1, 1]
    assert [file.lesions for file in found["test"]] == [None, tmp_path / "test_masks/cysts/d.nii.gz", None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": ""}, r"^--dataset=oct_phantom: give the patches' size, as in --image_size=64$"),
        ({"image_size": "97"}, r"^--image_size=97: patches are cut from areas of 96 x 64 .*; take a smaller size$"),
        ({"dataset": "oct"}, r"^--dataset=oct: give the folder of your volumes with --data_path$"),
        ({"dataset": "oct", "data_path": "/no/where"}, r"^/no/where: no such folder; give --data_path"),
    ],
)
def test_what_does_not_fit(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        datasets.load(dataclasses.replace(PHANTOM, **changes), tmp_path)


def test_folders_without_volumes(tmp_path):
    options = Options(dataset="oct", data_path=str(tmp_path), patches=3, image_size="8")
    with pytest.raises(
        UserError, match=r"train_normal: no such folder; --dataset=oct needs train_normal, test_normal, test_anom"
    ):
        datasets.load(options, tmp_path / "cache")
    (tmp_path / "train_normal").mkdir()
    with pytest.raises(UserError, match=r"train_normal: no volumes in it; looked for .*\.vol"):
        datasets.load(options, tmp_path / "cache")
    with pytest.raises(UserError, match=r"missing.vol: no such file or folder; check the path"):
        dataset.open_volumes([tmp_path / "missing.vol"], options, tmp_path / "cache")
