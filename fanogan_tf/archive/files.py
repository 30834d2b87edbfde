"""An archive's files, wherever Beam can reach them: paths, and URLs such as gs://bucket/folder.

A file's name is what tables show: its path as the user gave it, or its whole URL.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from fanogan_tf.data.decode import EXTENSIONS, walk_images
from fanogan_tf.errors import UserError
from fanogan_tf.oct.dataset import named_volumes
from fanogan_tf.oct.readers.find import VOLUME_EXTENSIONS


def is_url(name: str) -> bool:
    """Tells whether only Beam's file systems can read `name`."""
    return FileSystems.get_scheme(name) is not None


def found(names: Sequence[str], volumes: bool = False) -> Iterator[str]:
    """Yields every image, or every volume, in the files and folders `names`, each once.

    They are yielded as they are found, so memory does not grow with the number of images. Below a URL, a volume must be a single
    file.

    Raises:
      UserError: a path does not exist, or a folder has nothing to score.
    """
    paths = [Path(name) for name in names if not is_url(name)]
    if volumes:
        yield from (path.as_posix() for path in named_volumes(paths))
    else:
        yield from _images(paths)
    yield from _below_urls([name for name in names if is_url(name)], volumes)


@contextlib.contextmanager
def at_hand(name: str) -> Iterator[Path]:
    """Gives a path to read the file or folder `name` from inside this block: its own, or that of a copy of the URL.

    Raises:
      OSError: a URL that cannot be read.
    """
    if not is_url(name):
        yield Path(name)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, name.rstrip("/").rpartition("/")[2])
        for match in FileSystems.match([name, name.rstrip("/") + "/**"]):
            for file in match.metadata_list:
                inside = file.path.removeprefix(name).lstrip("/")
                target = copy / inside if inside else copy
                target.parent.mkdir(parents=True, exist_ok=True)
                with FileSystems.open(file.path) as source, open(target, "wb") as sink:
                    shutil.copyfileobj(source, sink)
        if not copy.exists():
            raise FileNotFoundError(f"{name}: no such file or folder")
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


def _below_urls(urls: list[str], volumes: bool) -> Iterator[str]:
    extensions = VOLUME_EXTENSIONS if volumes else EXTENSIONS
    for url in (url.rstrip("/") for url in urls):
        try:
            whole, below = FileSystems.match([url, f"{url}/**"])
        except (BeamIOError, ValueError) as error:  # ValueError: no file system of that scheme is installed.
            raise UserError(f"{url}: cannot be searched ({error}); Beam reads gs:// with apache-beam[gcp]") from error
        paths = [file.path for file in whole.metadata_list] or [
            file.path for file in below.metadata_list if _visible(file.path.removeprefix(url), extensions)
        ]
        if not paths:
            raise UserError(f"{url}: nothing to score here; looked for {', '.join(extensions)} at any depth")
        yield from paths


def _visible(inside: str, extensions: tuple[str, ...]) -> bool:
    hidden = any(part.startswith(".") for part in inside.split("/"))
    return not hidden and inside.lower().endswith(extensions)
