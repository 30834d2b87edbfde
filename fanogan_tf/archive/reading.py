"""The readers of an archive: from a file's name to the images to score."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import apache_beam as beam
import numpy as np

from fanogan_tf.archive.files import at_hand
from fanogan_tf.data.decode import read_image
from fanogan_tf.data.pixels import resize
from fanogan_tf.errors import UserError
from fanogan_tf.oct.cache import VolumeFile
from fanogan_tf.oct.dataset import grid_patches, patch_size, preparation
from fanogan_tf.oct.preparation import prepare
from fanogan_tf.oct.volume_scores import facts
from fanogan_tf.options import Options

UNREADABLE, VOLUMES = "unreadable", "volumes"
# The remedy at the end of a reader's message. An archive always skips unreadable files.
_REMEDY = re.compile(r"; \w+ it, or give --skip_unreadable$")


class ReadImages(beam.DoFn):
    """Reader of images: name -> (name, (H, W) uint16), resized. Names are JSON strings.

    A file that cannot be read becomes a row of `output.UNREADABLE` in the pipeline's output UNREADABLE.

    size: (height, width). on_file: called after each file.
    """

    def __init__(self, size: tuple[int, int], on_file: Callable[[], None]):
        self._size = size
        self._on_file = on_file

    def process(self, line: str) -> Iterator:
        yield from _or_reason(json.loads(line), self._read)
        self._on_file()

    def _read(self, name: str, path: Path) -> Iterator:
        yield json.dumps(name), resize(read_image(path), self._size)


class ReadVolumes(beam.DoFn):
    """Reader of volumes: name -> (name#B-scan@top,left, (H, W) uint16) for each patch of its grid. Names are JSON strings.

    The pipeline's output VOLUMES has each volume's `volume_scores.facts`; UNREADABLE is as for images. Prepared volumes are not
    cached, as an archive is scored once.

    options: of the run that the model comes from. on_file: called after each file.
    """

    def __init__(self, options: Options, on_file: Callable[[], None]):
        self._options = options
        self._on_file = on_file

    def process(self, line: str) -> Iterator:
        yield from _or_reason(json.loads(line), self._read)
        self._on_file()

    def _read(self, name: str, path: Path) -> Iterator:
        volume = prepare(VolumeFile(path, name).make(), preparation(self._options))
        patches = grid_patches([volume], patch_size(self._options))
        yield beam.pvalue.TaggedOutput(VOLUMES, facts(volume) | {"volume": json.dumps(name)})
        for i, patch in enumerate(patches.names):
            yield json.dumps(str(patch)), np.asarray(patches.images[i : i + 1])[0, ..., 0]


def _or_reason(name: str, read: Callable[[str, Path], Iterator]) -> list:
    """Lists what `read` yields, or the reason why it cannot. A file is scored as a whole or not at all."""
    try:
        with at_hand(name) as path:
            return list(read(name, path))
    except UserError as error:
        reason = _REMEDY.sub("", str(error)).removeprefix(f"{path}: ").removeprefix(f"{name}: ")
    except Exception as error:  # One broken file in a million must not end the run; the reason is kept.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return [beam.pvalue.TaggedOutput(UNREADABLE, {"image": json.dumps(name), "reason": json.dumps(reason)})]
