import io
import os

import pytest
from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

from fanogan_tf.archive.files import at_hand, found
from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from tests.helpers.archived import assert_same_rows, exported, rows_of, score, write_images

FILES: dict[str, bytes] = {}  # The contents of the shelf.


class _Handle(io.BytesIO):
    def __init__(self, path):
        super().__init__()
        self._path = path

    def close(self):
        if not self.closed:
            FILES[self._path] = self.getvalue()
        super().close()


class Shelf(FileSystem):
    """A file system at shelf://, which only Beam can reach, like buckets."""

    @classmethod
    def scheme(cls):
        return "shelf"

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path):
        pass

    def has_dirs(self):
        return False

    def _list(self, dir_or_prefix):
        for path in sorted(FILES):
            if path.startswith(dir_or_prefix):
                yield FileMetadata(path, len(FILES[path]))

    def create(self, path, mime_type="", compression_type=""):
        return _Handle(path)

    def open(self, path, mime_type="", compression_type=""):
        if path not in FILES:
            raise BeamIOError(f"{path} not found")
        return io.BytesIO(FILES[path])

    def copy(self, source_file_names, destination_file_names):
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            FILES[destination] = FILES[source]

    def rename(self, source_file_names, destination_file_names):
        self.copy(source_file_names, destination_file_names)
        self.delete(source_file_names)

    def exists(self, path):
        return path in FILES

    def size(self, path):
        return len(FILES[path])

    def last_updated(self, path):
        return 0.0

    def checksum(self, path):
        return ""

    def metadata(self, path):
        return FileMetadata(path, self.size(path))

    def delete(self, paths):
        for path in [file for file in FILES if any(file == path or file.startswith(f"{path}/") for path in paths)]:
            del FILES[path]


@pytest.fixture
def shelf():
    FILES.clear()
    return FILES


def put(folder, url):
    for path in folder.rglob("*"):
        if path.is_file():
            FILES[f"{url}/{path.relative_to(folder).as_posix()}"] = path.read_bytes()


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


def test_below_a_url(folder, shelf):
    put(folder, "shelf://bucket/f")
    names = [f"shelf://bucket/f/{name}" for name in ("000.png", "001.png", "sub/000.png", "sub/001.png")]
    assert sorted(found(["shelf://bucket/f/"])) == names == sorted(found(["shelf://bucket/f"]))
    assert list(found(["shelf://bucket/f/sub/000.png"])) == ["shelf://bucket/f/sub/000.png"]
    for url in ("shelf://bucket/none", "nobodys://bucket/f"):
        with pytest.raises(UserError, match=url):
            list(found([url]))


def test_volumes_below_a_url_are_single_files(shelf):
    FILES.update({"shelf://b/1.vol": b"", "shelf://b/scans/1.png": b"", "shelf://b/2.dcm": b""})
    assert sorted(found(["shelf://b"], volumes=True)) == ["shelf://b/1.vol", "shelf://b/2.dcm"]


def test_a_url_is_copied_and_the_copy_deleted_afterwards(folder, shelf):
    put(folder, "shelf://bucket/f")
    with at_hand("shelf://bucket/f/001.png") as path:
        assert path.name == "001.png" and path.read_bytes() == (folder / "001.png").read_bytes()
    with at_hand("shelf://bucket/f") as copy:
        assert (copy / "sub/000.png").read_bytes() == (folder / "sub/000.png").read_bytes()
    assert not path.exists() and not copy.exists()
    with pytest.raises(FileNotFoundError, match="none"), at_hand("shelf://bucket/none.png"):
        pass
    with at_hand(str(folder)) as path:
        assert path == folder


@pytest.mark.slow
def test_everything_by_url(folder, shelf, tmp_path):
    """Model, images and output at URLs give the same scores as at paths."""
    model = exported(tmp_path / "models", Options(), side=8)
    put(model, "shelf://bucket/models/1")
    put(folder, "shelf://bucket/f")
    FILES["shelf://bucket/f/broken.png"] = b"no image"
    line = score("shelf://bucket/models/1", ["shelf://bucket/f"], "shelf://bucket/out")
    assert line == "5 files, 4 images, 1 unreadable: shelf://bucket/out"
    with pytest.raises(UserError, match="is there already"):
        score("shelf://bucket/models/1", ["shelf://bucket/f"], "shelf://bucket/out")

    out = {path.removeprefix("shelf://bucket/out/"): content for path, content in FILES.items() if "/out/" in path}
    assert sorted(out) == ["scores-00000-of-00001.csv", "summary.json", "unreadable.csv"]
    assert out["unreadable.csv"].decode().splitlines()[1].startswith('shelf://bucket/f/broken.png,"unreadable image (')
    (tmp_path / "by_url.csv").write_bytes(out["scores-00000-of-00001.csv"].replace(b"shelf://bucket/f", str(folder).encode()))
    score(model, [folder], tmp_path / "out")
    assert_same_rows(rows_of(tmp_path / "by_url.csv"), rows_of(*(tmp_path / "out").glob("scores-*")))
