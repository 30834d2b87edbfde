import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from fanogan_tf import option_flags
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path / "runs" / "first")


def images(seed, count=5, shape=(8, 8, 1)):
    pixels = np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)
    names = np.array([f"{i}.png" for i in range(count)])
    return ImageSet(pixels, np.zeros(count, np.int64), np.full(count, "n"), names)


SPLITS = Splits(images(0), images(1), images(2))


def begin(run, overwrite=False, splits=SPLITS, **given):
    """What fanogan train does before it trains."""
    with run.locked():
        options = run.begin(Options(**given), frozenset(given), overwrite)
        run.take(options, splits, overwrite)
    return options


def kept(run):
    return option_flags.from_text(run.flags.read_text(), "flags.txt")


def test_begin(run):
    assert begin(run, dim=3) == Options(dim=3) == kept(run)


def test_same_command_again(run):
    begin(run, dim=3, normal_class="2")
    assert begin(run, dim=3, normal_class="2") == Options(dim=3, normal_class="2")
    # What is not given is the run's, not the default.
    assert begin(run) == Options(dim=3, normal_class="2") == kept(run)


def test_free_settings_change_and_stay_changed(run):
    begin(run, dim=3, iterations=10)
    assert begin(run, iterations=20, learning_rate=0.5) == Options(dim=3, iterations=20, learning_rate=0.5) == kept(run)
    assert begin(run, iterations=Options().iterations) == Options(dim=3, learning_rate=0.5) == kept(run)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Options)])
def test_each_setting_is_free_or_refused(run, name):
    field = next(f for f in dataclasses.fields(Options) if f.name == name)
    other = {str: "other", int: 3, float: 0.25, bool: not field.default}[field.type]
    if field.metadata["choices"]:
        other = field.metadata["choices"][-1]
    if other == field.default:
        pytest.skip("has no other value")
    before = begin(run, dim=8)
    if field.metadata["free"]:
        assert begin(run, **{name: other}) == dataclasses.replace(before, **{name: other})
        return
    there = 8 if name == "dim" else field.default
    with pytest.raises(UserError, match=rf"first: holds another run: --{name} is {there} there, {other} here; take another"):
        begin(run, **{name: other})
    assert kept(run) == before


def test_all_conflicts_are_named(run):
    begin(run, dim=3, iterations=10)
    both = "--dim is 3 there, 4 here, --seed is 0 there, 1 here"
    with pytest.raises(UserError, match=rf"{both}; take another --run_dir .*--overwrite"):
        begin(run, seed=1, dim=4, iterations=99)
    assert kept(run).iterations == 10


def test_scoring_takes_the_runs_options(run):
    begin(run, dim=3)
    assert run.options(Options(score_batch_size=7), frozenset({"score_batch_size"})) == Options(dim=3, score_batch_size=7)
    assert kept(run).score_batch_size == Options().score_batch_size
    with pytest.raises(UserError, match="--dim is 3 there, 4 here"):
        run.options(Options(dim=4), frozenset({"dim"}))


@pytest.mark.parametrize("change", [{"false_positive_rate": 0.2}, {"threshold_rule": "mean_3sd"}])
def test_the_threshold_is_the_detectors(run, change):
    begin(run)
    ((name, value),) = change.items()
    with pytest.raises(UserError, match=f"--{name} is .* there, {value} here; run fanogan train with it"):
        run.options(Options(**change), frozenset(change))
    with pytest.raises(UserError, match="take another --run_dir"):
        run.options(Options(dim=9, **change), frozenset({"dim", *change}))
    assert getattr(begin(run, **change), name) == value


def test_no_run_here(run):
    with pytest.raises(UserError, match=rf"^{run.path}: no run here; run fanogan train --run_dir={run.path} first"):
        run.options(Options(), frozenset())
    assert not run.path.exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_another_directory_is_left_alone(run, overwrite):
    run.path.mkdir(parents=True)
    (run.path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"is no run directory .*not empty; take another --run_dir"):
        begin(run, overwrite)
    assert (run.path / "thesis.tex").read_text() == "years of work" and not run.flags.exists()


def test_overwrite(run):
    begin(run, dim=3)
    (run.gan / "checkpoints").mkdir(parents=True)
    (run.gan / "checkpoints" / "step-1.index").touch()
    run.scores.touch()
    run.cache.mkdir()
    (run.cache / "images.npy").touch()
    # Other settings and other images are no conflict then.
    assert begin(run, True, Splits(images(3), images(4), images(5)), seed=4) == Options(seed=4) == kept(run)
    assert sorted(path.name for path in run.path.iterdir()) == [".lock", "cache", "data.json", "flags.txt"]
    assert (run.cache / "images.npy").exists()
    begin(run, splits=Splits(images(3), images(4), images(5)))
    with pytest.raises(UserError, match="the train images are not those"):
        begin(run)


@pytest.mark.parametrize("overwrite", [False, True])
def test_begin_alone_changes_nothing(run, overwrite):
    begin(run, dim=3)
    run.scores.touch()
    before = {path: path.read_bytes() for path in run.path.iterdir()}
    with run.locked():
        assert run.begin(Options(iterations=7), frozenset({"iterations"}), overwrite).iterations == 7
    assert {path: path.read_bytes() for path in run.path.iterdir()} == before


def test_prepared_images_alone_are_no_run(run):
    (run.cache / "a").mkdir(parents=True)
    assert begin(run, dim=3) == Options(dim=3) == kept(run)


def test_begin_keeps_what_is_there(run):
    begin(run)
    run.gan.mkdir()
    (run.gan / "a").touch()
    begin(run)
    assert (run.gan / "a").exists()


def test_no_name():
    with pytest.raises(UserError, match="--run_dir: say in which directory"):
        RunDirectory("")


def test_flags_of_another_version(run):
    begin(run)
    run.flags.write_text("--invented=1\n")
    with pytest.raises(UserError, match=rf"{run.flags}: .*invented.*not written by this version"):
        begin(run)


def test_lock(run):
    again = RunDirectory(run.path)
    with run.locked(), pytest.raises(UserError, match=rf"^{run.path}: another process is writing this run"), again.locked():
        pass
    with run.locked(), RunDirectory(run.path.parent / "second").locked():
        pass


def test_lock_is_let_go_after_an_error(run):
    with pytest.raises(RuntimeError), run.locked():
        raise RuntimeError
    with run.locked():
        pass


def test_lock_of_another_process(run):
    run.path.mkdir(parents=True)
    code = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX)"
    code += "; print('held', flush=True); sys.stdin.read()"
    arguments = [sys.executable, "-c", code, str(run.path / ".lock")]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="another process"), run.locked():
            pass
        other.kill()
        other.wait()
        with run.locked():
            assert run.path.is_dir()


def test_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    run = RunDirectory(tmp_path / "file" / "run")
    with pytest.raises(UserError, match=r"^--run_dir=\S*file/run: cannot be written \(Not a directory\)"), run.locked():
        pass


def test_same_data(run):
    run.path.mkdir(parents=True)
    run.check_data(SPLITS)  # Nothing to compare with.
    assert not run.data.exists()
    begin(run)
    before = run.data.read_text()
    run.check_data(Splits(images(0), images(1), images(2)))
    begin(run)
    assert run.data.read_text() == before


def renamed(image_set):
    return dataclasses.replace(image_set, names=np.char.add(image_set.names, "x"))


def touched(image_set):
    pixels = image_set.images.copy()
    pixels[-1, 7, 7] ^= 1
    return dataclasses.replace(image_set, images=pixels)


OTHER_DATA = [
    ("train", images(0, 6)),
    ("validation", renamed(images(1))),
    ("test", touched(images(2))),
    ("train", images(0, 5, (10, 8, 1))),
    ("test", images(2, 4)),
]


@pytest.mark.parametrize(("split", "other"), OTHER_DATA)
def test_other_data(run, split, other):
    begin(run, iterations=7)
    before = run.data.read_text()
    changed = dataclasses.replace(SPLITS, **{split: other})
    for check in (lambda: run.check_data(changed), lambda: begin(run, splits=changed, iterations=8)):
        with pytest.raises(UserError, match=rf"the {split} images are not those .* \(5 then, {len(other)} now\)"):
            check()
    assert run.data.read_text() == before and kept(run).iterations == 7


def test_other_regions(run):
    regions = np.ones(SPLITS.train.images.shape, bool)
    inside = dataclasses.replace(SPLITS, train=dataclasses.replace(SPLITS.train, regions=regions))
    begin(run, splits=inside)
    run.check_data(inside)
    moved = regions.copy()
    moved[0, 0, 0] = False
    for other in (moved, None):
        changed = dataclasses.replace(SPLITS, train=dataclasses.replace(SPLITS.train, regions=other))
        with pytest.raises(UserError, match="the train images are not those"):
            run.check_data(changed)


def test_workers_other_than_the_chief_write_nothing(run, monkeypatch):
    config = json.dumps({"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}})
    with monkeypatch.context() as other:
        other.setenv("TF_CONFIG", config)
        assert begin(run, dim=3) == Options(dim=3)
        assert not run.path.exists()
    with run.locked(), monkeypatch.context() as other:
        other.setenv("TF_CONFIG", config)
        begin(run, dim=3)  # The chief's lock does not keep them out.
    begin(run, dim=3)
    monkeypatch.setenv("TF_CONFIG", config)
    begin(run, overwrite=True, dim=4)
    assert kept(run) == Options(dim=3)
    with pytest.raises(UserError, match="the train images are not those that this run began with"):
        begin(run, dim=3, splits=Splits(images(5), images(1), images(2)))
