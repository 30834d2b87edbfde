import dataclasses
import types

import numpy as np
import pytest

from fanogan_tf.errors import UserError
from fanogan_tf.oct import cache
from fanogan_tf.oct.cache import Phantom, VolumeFile, prepare_all
from fanogan_tf.oct.phantom import PhantomSettings
from fanogan_tf.oct.preparation import Preparation, PreparedVolume

SMALL = PhantomSettings(bscans=2, height=160, width=64, spacing=(0.123, 0.012, 0.09), averaging=9)
SETTINGS = Preparation(columns=32, height=64, surfaces="file")
SOURCE = types.SimpleNamespace(name="healthy/7.vol", label=0, single=False)
VOLUME = PreparedVolume(
    name="made.vol",
    eye="OS",
    shape=(3, 40, 32),
    spacing=(0.12, 0.004, 0.011),
    areas=np.arange(2 * 12 * 16, dtype=np.uint16).reshape(2, 12, 16),
    scans=np.array([0, 2]),
    top=np.zeros((2, 16), np.int64),
    bottom=np.full((2, 16), 30),
    left_out=((1, "all its pixels have one value"),),
    lesions=np.ones((2, 12, 16), np.uint8),
    kinds=("a", "b"),
)


def phantoms(count):
    return [Phantom(seed, SMALL, f"phantom {seed}", seed % 2) for seed in range(count)]


def test_volumes_are_prepared_once_and_in_order(tmp_path, monkeypatch, capfd):
    first, skipped = prepare_all(phantoms(3), SETTINGS, tmp_path)
    assert [volume.name for volume in first] == ["phantom 0", "phantom 1", "phantom 2"] and skipped == []
    assert [volume.label for volume in first] == [0, 1, 0] and first[1].source == phantoms(2)[1]
    assert "3/3" in capfd.readouterr().err

    def never(*_):
        raise AssertionError("prepared again")

    monkeypatch.setattr(cache, "_prepare_one", never)
    again, _ = prepare_all(phantoms(3), SETTINGS, tmp_path)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.areas, other.areas)


def test_it_goes_on_where_it_stopped(tmp_path):
    prepare_all(phantoms(1), SETTINGS, tmp_path)
    (kept,) = tmp_path.glob("volume-*")
    before = (kept / "areas.npy").stat().st_mtime_ns
    prepare_all(phantoms(2), SETTINGS, tmp_path)
    assert len(list(tmp_path.glob("volume-*"))) == 2
    assert (kept / "areas.npy").stat().st_mtime_ns == before


def test_a_damaged_entry_is_made_again(tmp_path):
    (before,), _ = prepare_all(phantoms(1), SETTINGS, tmp_path)
    areas = np.array(before.areas)
    (entry,) = tmp_path.glob("volume-*")
    (entry / "areas.npy").write_bytes(b"")
    (after,), _ = prepare_all(phantoms(1), SETTINGS, tmp_path)
    np.testing.assert_array_equal(after.areas, areas)


def test_one_unusable_volume_among_many(tmp_path, capsys):
    broken = tmp_path / "broken.vol"
    broken.write_bytes(b"HSF-OCT-no")
    sources = [*phantoms(1), VolumeFile(broken, "broken.vol")]
    with pytest.raises(UserError, match=r"^broken\.vol|broken\.vol: "):
        prepare_all(sources, SETTINGS, tmp_path / "cache")
    kept, skipped = prepare_all(sources, SETTINGS, tmp_path / "cache", skip_unreadable=True)
    assert [volume.name for volume in kept] == ["phantom 0"]
    assert len(skipped) == 1 and "broken.vol" in skipped[0]
    assert "Skipped: " in capsys.readouterr().err


def test_content_is_bytes_not_names(tmp_path):
    (tmp_path / "a.vol").write_bytes(b"1")
    (tmp_path / "b.vol").write_bytes(b"1")
    (tmp_path / "c.vol").write_bytes(b"2")
    a, b, c = (VolumeFile(tmp_path / f"{letter}.vol", letter).content() for letter in "abc")
    assert a == b != c
    (tmp_path / "mask.npy").write_bytes(b"3")
    assert VolumeFile(tmp_path / "a.vol", "a", 1, tmp_path / "mask.npy").content() != a


def test_what_was_written_is_read_under_the_callers_name(tmp_path):
    entry = cache.entry_path(tmp_path, ["x"], Preparation())
    cache.write(entry, VOLUME)
    read = cache.read(entry, SOURCE)
    assert isinstance(read.areas, np.memmap) and not read.areas.flags.writeable
    assert (read.name, read.label, read.source) == ("healthy/7.vol", 0, SOURCE)
    for field in dataclasses.fields(VOLUME):
        if field.name not in ("name", "label", "source"):
            np.testing.assert_equal(getattr(read, field.name), getattr(VOLUME, field.name))


def test_volumes_without_lesions_stay_so(tmp_path):
    cache.write(tmp_path / "v", dataclasses.replace(VOLUME, lesions=None, kinds=()))
    assert cache.read(tmp_path / "v", SOURCE).lesions is None


def test_another_content_or_setting_is_another_entry(tmp_path):
    settings = [Preparation(), Preparation(columns=128), Preparation(height=96), Preparation(surfaces="file")]
    paths = {cache.entry_path(tmp_path, content, s) for content in (["a"], ["b"]) for s in settings}
    assert len(paths) == 8
    assert cache.entry_path(tmp_path, ["a"], Preparation()) in paths


def test_a_damaged_entry_counts_as_absent(tmp_path):
    assert cache.read(tmp_path / "v", SOURCE) is None
    cache.write(tmp_path / "v", VOLUME)
    (tmp_path / "v" / "areas.npy").write_bytes((tmp_path / "v" / "areas.npy").read_bytes()[:-1])
    assert cache.read(tmp_path / "v", SOURCE) is None
