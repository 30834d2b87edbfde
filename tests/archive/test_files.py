import os

import pytest

from fanogan_tf.archive.files import at_hand, found, is_url, place
from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.datasets import Volumes
from fanogan_tf.errors import UserError
from tests.helpers.archived import write_images


@pytest.fixture
def folder(tmp_path):
    """A folder of 000.png, 001.png, sub/000.png, sub/001.png, and files to ignore: sub/notes.txt, .hidden/000.png."""
    write_images(tmp_path / "f", 2)
    write_images(tmp_path / "f/sub", 2)
    write_images(tmp_path / "f/.hidden", 1)
    (tmp_path / "f/sub/notes.txt").touch()
    return tmp_path / "f"


@pytest.mark.parametrize(
    "named",
    [["f"], ["f", "f"], ["f/sub", "f"], ["f", "f/001.png"], ["f/sub/notes.txt", "f"], ["f", "f/.hidden"], ["f/sub", "f/001.png"]],
)
def test_finds_the_files_that_score_finds(folder, monkeypatch, named):
    monkeypatch.chdir(folder.parent)
    names = list(found(named))
    assert sorted(names) == sorted(path.as_posix() for path in ImageStream(named, (8, 8, 1))._paths)
    assert len(set(names)) == len(names)


def test_nothing_is_found_before_it_is_asked_for(folder, monkeypatch):
    """Memory does not grow with the number of files."""
    walked = []

    def endless(*_, **__):
        while True:
            walked.append(f"{folder}/{len(walked)}")
            yield walked[-1], [], ["a.png"]

    monkeypatch.setattr(os, "walk", endless)
    names = found([str(folder)])
    assert [next(names) for _ in range(3)] == [f"{folder}/{number}/a.png" for number in range(3)]
    assert len(walked) == 3


def test_paths_without_images(folder):
    (folder / "empty").mkdir()
    for name, said in (("none.png", "none.png: no such file or folder"), ("empty", "empty: no images in this folder")):
        with pytest.raises(UserError, match=said):
            list(found([str(folder / name)]))


def test_below_a_url(folder):
    url = f"file://{folder}"
    names = [f"{url}/{name}" for name in ("000.png", "001.png", "sub/000.png", "sub/001.png")]
    assert sorted(found([f"{url}/"])) == names == sorted(found([url])) == sorted(found([url, f"{url}/"]))
    assert list(found([names[2]])) == names[2:3]
    for wrong, said in ((f"{url}/none", "nothing to score here"), ("nobodys://bucket/f", "cannot be reached")):
        with pytest.raises(UserError, match=f"{wrong}: {said}"):
            list(found([wrong]))


def test_a_url_may_hold_any_characters(folder):
    """As names of objects in a bucket do. Nothing of them is an escape."""
    odd = folder / "a b#c?d%20[1]"
    odd.mkdir()
    (folder / "000.png").rename(odd / "é #1.png")
    assert list(found([f"file://{odd}"])) == [f"file://{odd}/é #1.png"]
    with at_hand(f"file://{odd}/é #1.png") as path:
        assert path.read_bytes() == (odd / "é #1.png").read_bytes()


def test_volumes_below_a_url_are_single_files(tmp_path):
    for name in ("1.vol", "scans/1.png", "2.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(found([f"file://{tmp_path}"], Volumes())) == [f"file://{tmp_path}/1.vol", f"file://{tmp_path}/2.dcm"]


def test_a_url_is_copied_and_the_copy_deleted_afterwards(folder):
    with at_hand(f"file://{folder}/001.png") as path:
        assert path.name == "001.png" and path.read_bytes() == (folder / "001.png").read_bytes()
        assert path.parent != folder
    with at_hand(f"file://{folder}") as copy:
        assert (copy / "sub/000.png").read_bytes() == (folder / "sub/000.png").read_bytes()
    assert not path.exists() and not copy.exists()
    with pytest.raises(FileNotFoundError, match="none"), at_hand(f"file://{folder}/none.png"):
        pass
    with at_hand(str(folder)) as path:
        assert path == folder


def test_places():
    assert is_url("s3://bucket/f") and not is_url("/a/s3:/b") and not is_url("C:\\scans")
    system, path = place("gs://bucket/a b/c#1/")
    assert system.type_name == "gcs" and path == "bucket/a b/c#1"
    assert place("scans")[1] == os.path.abspath("scans")
