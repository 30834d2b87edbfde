"""What every data set promises: a new one gets these tests by being registered in DATASETS."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from fanogan_tf import datasets, pipeline
from fanogan_tf.data.image_stream import whole
from fanogan_tf.datasets import DATASETS, Splits
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory
from tests.helpers.chest_films import montgomery
from tests.helpers.image_folders import patients
from tests.helpers.oct_files import raw_values, write_vol
from tests.helpers.toy_dataset import STRIPES

NAMES = {field.name for field in dataclasses.fields(Options)}
OCT = {"oct_columns": 32, "oct_height": 32, "oct_surfaces": "shortest_path", "image_size": "16", "patches": 2}


def arrays(folder):
    random = np.random.default_rng(0)
    classes = np.arange(300) % 10
    images = random.integers(0, 256, (300, 8, 8), np.uint8)
    np.savez(folder / "arrays.npz", x_train=images, y_train=classes, x_test=images[::-1], y_test=classes[::-1])
    return {"data_path": str(folder / "arrays.npz"), "normal_class": "3"}


def volumes(folder):
    random = np.random.default_rng(1)
    for split, count in (("train_normal", 3), ("test_normal", 1), ("test_anomalous", 1)):
        for number in range(count):
            data = np.full((3, 60, 40), 0.05) + 0.02 * random.random((3, 60, 40))
            data[:, 20:44] += 0.6
            (folder / split).mkdir(parents=True, exist_ok=True)
            write_vol(folder / split / f"{number}.vol", raw_values(data))
    return {"data_path": str(folder), **OCT}


# How the tests get images for a data set that does not bring its own.
PHANTOM = {"phantom_bscans": 2, "phantom_train_volumes": 1, "phantom_validation_volumes": 1, "phantom_test_volumes": 2}
IMAGES = {
    "mnist": arrays,
    "fashion_mnist": arrays,
    "folder": lambda folder: {"data_path": str(patients(folder, regions=True, masks=True)), "group_by": "folder:1"},
    "chest_xray": lambda folder: {"data_path": str(montgomery(folder)), "image_size": "16"},
    "oct": volumes,
    "oct_phantom": lambda folder: {**PHANTOM, **OCT},
}


@pytest.fixture(params=[*DATASETS, "stripes"])
def options(request, tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "stripes", STRIPES)
    (tmp_path / "images").mkdir()
    return Options(dataset=request.param, **IMAGES.get(request.param, lambda folder: {})(tmp_path / "images"))


def test_contract(options, tmp_path):
    splits = datasets.load(options, tmp_path / "cache")
    parts = {name: getattr(splits, name) for name in ("train", "validation", "test")}
    assert isinstance(splits, Splits)
    assert set(parts["train"].labels) == set(parts["validation"].labels) == {0}
    assert len({part.image_shape for part in parts.values()}) == 1
    assert len(parts["validation"]) >= 2
    names = [name for part in parts.values() for name in part.names]
    assert len(set(names)) == len(names)
    for part in parts.values():
        batch = next(part.batches(3))
        assert batch["image"].dtype == np.float32 and np.abs(batch["image"]).max() <= 1.0
        assert ("group" in batch) == (part.groups is not None)
    groups = [set(part.groups.tolist()) for part in parts.values() if part.groups is not None]
    assert sum(map(len, groups)) == len(set().union(*groups))

    again = datasets.load(options, tmp_path / "cache")
    for name, part in parts.items():
        other = getattr(again, name)
        assert other.names.tolist() == part.names.tolist()
        some = np.arange(min(5, len(part)))
        np.testing.assert_array_equal(other.images[some], part.images[some])


def test_descriptions(options):
    dataset = DATASETS[options.dataset]
    assert {*dataset.facts, *dataset.options} <= NAMES
    assert dataset.describe(options) and datasets.describe(options).startswith(dataset.describe(options))
    assert set(datasets.facts(options)) <= NAMES
    assert datasets.unread(options, frozenset({*dataset.facts, *dataset.options})) == []
    other = {"digits": "oct_columns"}.get(options.dataset, "phantom_bscans")
    expected = [] if options.dataset == "oct_phantom" else [other]
    assert datasets.unread(options, frozenset({other, "seed", "image_size"})) == expected


def test_named_paths_are_opened(options, tmp_path):
    shape = datasets.load(options, tmp_path / "cache").train.image_shape
    if DATASETS[options.dataset].groups:
        path = next((tmp_path / "images").rglob("*.vol"), None)
        if path is None:
            volumes(tmp_path / "images")
            path = next((tmp_path / "images").rglob("*.vol"))
    else:
        path = tmp_path / "one.png"
        Image.fromarray(np.full((9, 9), 77, np.uint8)).save(path)
    source, groups = DATASETS[options.dataset].open([path], options, tmp_path / "cache", shape, whole)
    batch = next(iter(source.batches(4)))
    assert batch["image"].shape[1:] == shape and str(batch["name"][0]).startswith(path.as_posix())
    assert len(groups) == (1 if DATASETS[options.dataset].groups else 0)


def test_a_new_data_set_goes_all_the_way(tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "stripes", STRIPES)
    run, options = RunDirectory(tmp_path / "run"), Options(dataset="stripes", method="pca")
    pipeline.train(run, options, "all", overwrite=False)
    assert pipeline.score(run, options, [], run.scores) == 10
    assert pipeline.evaluate(run, options).startswith("AUROC 1.0000")
    assert "pca on synthetic stripes" in (run.report / "index.html").read_text(encoding="utf-8")
    assert (pipeline.export(run, options, tmp_path / "model", 0) / "saved_model.pb").is_file()


def test_an_option_of_another_data_set_is_refused(tmp_path):
    for changes, said in (
        ({"dataset": "folder"}, r"--dataset=folder.*--data_path"),
        ({"patches": 3}, "--patches=3"),
        ({"group_by": "folder:1"}, "--group_by=folder:1: only images of --dataset=folder"),
        ({"dataset": "oct_phantom", "test_images": 5}, "^--test_images, --validation_images: volumes"),
    ):
        with pytest.raises(UserError, match=said):
            datasets.load(Options(**changes), tmp_path)


def test_at_most_so_many_images_drawn_by_the_split_seed(tmp_path):
    def load(**few):
        return datasets.load(Options(dataset="digits", normal_class="0", **few), tmp_path)

    everything, few = load(), load(test_images=100, validation_images=5)
    assert len(few.test) == 100 and len(few.validation) == 5 and len(few.train) == len(everything.train)
    place = {name: i for i, name in enumerate(everything.test.names)}
    places = [place[name] for name in few.test.names]
    assert places == sorted(places)
    np.testing.assert_array_equal(few.test.images, everything.test.images[places])
    np.testing.assert_array_equal(few.test.labels, everything.test.labels[places])
    assert load(test_images=100, seed=8).test.names.tolist() == few.test.names.tolist()
    assert load(test_images=100_000).test.names.tolist() == everything.test.names.tolist()


def test_half_of_them_normal(tmp_path):
    def labels(**few):
        return datasets.load(Options(dataset="digits", normal_class="0", half_normal=True, **few), tmp_path).test.labels

    normal = int((labels() == 0).sum())
    for most in (40, 41, 2 * normal, 2 * normal + 60):
        of_normals = int((labels(test_images=most) == 0).sum())
        assert len(labels(test_images=most)) == most and of_normals in {min(normal, most // 2), min(normal, -(-most // 2))}


def test_one_class_anomalous_and_nine_normal(tmp_path):
    splits = datasets.load(Options(dataset="digits", normal_class="0", anomalous_class="3"), tmp_path)
    assert set(splits.train.class_names) == set("012456789") and set(splits.train.labels) == {0}
    np.testing.assert_array_equal(splits.test.labels, splits.test.class_names == "3")
    assert set(splits.test.class_names) == set("0123456789")
    names = [*splits.train.names, *splits.validation.names, *splits.test.names]
    assert len(set(names)) == len(names) == 1797
