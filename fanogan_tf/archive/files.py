"""An archive's files, wherever they are: paths, and URLs such as s3://bucket/folder, which PyArrow's file systems read.

A file's name is what tables show: its path as the user gave it, or its whole URL.
"""

import contextlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow
from pyarrow import fs

from fanogan_tf.data.decode import EXTENSIONS, walk_images
from fanogan_tf.datasets import Volumes
from fanogan_tf.errors import UserError

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/]*)(.*)", re.DOTALL)


def is_url(name: str) -> bool:
    """Tells whether `name` is a URL and no path."""
    return _URL.fullmatch(name) is not None


def place(name: str) -> tuple[fs.FileSystem, str]:
    """The file system that holds `name`, and the name's path in it.

    Raises:
      UserError: no file system here reads such URLs.
    """
    url = _URL.fullmatch(name)
    if url is None:
        return fs.LocalFileSystem(), str(Path(name).absolute())
    scheme, authority, inside = url.groups()
    # Hadoop calls it s3a. Only the root is parsed as a URL, so a name may hold any characters.
    root = f"{'s3' if scheme == 's3a' else scheme}://{authority}/"
    try:
        system, path = fs.FileSystem.from_uri(root)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UserError(f"{name}: cannot be reached ({_line(error)}); PyArrow reads s3://, gs://, abfs://, hdfs://") from error
    return system, f"{path.rstrip('/')}{inside}".rstrip("/")


def found(names: Sequence[str], groups: Volumes | None = None) -> Iterator[str]:
    """Yields every image, or every volume where the data set has `groups`, in the files and folders `names`, each once.

    They are yielded as they are found, so memory does not grow with the number of images. Below a URL, a volume must be a single
    file.

    Raises:
      UserError: a path does not exist, or a folder has nothing to score.
    """
    paths = [Path(name) for name in names if not is_url(name)]
    if groups:
        yield from (path.as_posix() for path in groups.found(paths))
    else:
        yield from _images(paths)
    for url in dict.fromkeys(name.rstrip("/") for name in names if is_url(name)):
        yield from _below_url(url, groups.EXTENSIONS if groups else EXTENSIONS)


@contextlib.contextmanager
def at_hand(name: str) -> Iterator[Path]:
    """Gives a path to read the file or folder `name` from inside this block: its own, or that of a copy of the URL.

    Raises:
      OSError: a URL that cannot be read.
    """
    if not is_url(name):
        yield Path(name)
        return
    system, path = place(name)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.rpartition("/")[2])
        fs.copy_files(path, str(copy), source_filesystem=system, destination_filesystem=fs.LocalFileSystem())
        yield copy


def _images(paths: list[Path]) -> Iterator[str]:
    """Yields what `ImageStream` finds, without making a list."""
    for path in paths:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; check the path")
    folders = _apart([path for path in paths if path.is_dir()])
    files = dict.fromkeys(path for path in paths if not path.is_dir())
    yield from (path.as_posix() for path in files)
    for folder in folders:
        any_found = False
        for path in walk_images(folder):
            any_found = True
            if path not in files:
                yield path.as_posix()
        if not any_found:
            raise UserError(f"{folder}: no images in this folder; looked for {', '.join(EXTENSIONS)} at any depth")


def _apart(folders: list[Path]) -> list[Path]:
    """Drops folders that a search of another one covers."""
    kept = list(dict.fromkeys(folders))
    return [folder for folder in kept if not any(_searched(folder, other) for other in kept if other != folder)]


def _searched(folder: Path, other: Path) -> bool:
    return folder.is_relative_to(other) and not any(part.startswith(".") for part in folder.relative_to(other).parts)


def _below_url(url: str, extensions: tuple[str, ...]) -> Iterator[str]:
    system, path = place(url)
    try:
        what = system.get_file_info(path)
        below = system.get_file_info(fs.FileSelector(path, recursive=True)) if what.type == fs.FileType.Directory else []
    except OSError as error:
        raise UserError(f"{url}: cannot be searched ({_line(error)}); check the address and your rights") from error
    insides = [one.path[len(path) :] for one in below if one.type == fs.FileType.File]
    visible = [inside for inside in insides if "/." not in inside and inside.lower().endswith(extensions)]
    if what.type == fs.FileType.File:
        yield url
    elif visible:
        yield from (url + inside for inside in visible)
    else:
        raise UserError(f"{url}: nothing to score here; looked for {', '.join(extensions)} at any depth")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
