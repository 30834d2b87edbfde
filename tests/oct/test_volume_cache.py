import dataclasses
import types

import numpy as np

from fanogan_tf.oct import cache
from fanogan_tf.oct.preparation import Preparation, PreparedVolume

SOURCE = types.SimpleNamespace(name="healthy/7.vol", label=0)
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
