"""Volumes as groups of patches: their scores, maps and figures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.detection import score_table, scoring
from fanogan_tf.oct import dataset, volume_scores
from fanogan_tf.oct.cache import VolumeFile
from fanogan_tf.oct.map_files import save_volume_maps
from fanogan_tf.oct.maps import area_maps
from fanogan_tf.oct.preparation import PreparedVolume, prepare
from fanogan_tf.oct.readers.find import VOLUME_EXTENSIONS
from fanogan_tf.oct.volume import FLUID
from fanogan_tf.oct.volume_metrics import volume_metrics
from fanogan_tf.oct.volume_scores import Tally, VolumeScores
from fanogan_tf.options import Options

# Takes a volume's name, data and maps, and its row of the table.
OnEach = Callable[[str, np.ndarray, np.ndarray, dict], None]


class Volumes:
    """What `Dataset.groups` does for data sets of volumes.

    Attributes:
      EXTENSIONS: of the files that hold a volume each.
      COLUMNS: of the table of volumes.
    """

    EXTENSIONS = VOLUME_EXTENSIONS
    COLUMNS = volume_scores.COLUMNS

    def found(self, paths: Sequence[Path]) -> list[Path]:
        """The volumes that a user names, files and folders of them, see `dataset.named_volumes`."""
        return dataset.named_volumes(paths)

    def opened(self, path: Path, name: str, options: Options) -> tuple[PreparedVolume, ImageSet]:
        """One volume and the patches that are scored of it. Nothing is cached.

        Raises:
          UserError: it cannot be read or used.
        """
        volume = prepare(VolumeFile(path, name).make(), dataset.preparation(options))
        return volume, dataset.grid_patches([volume], dataset.patch_size(options))

    def row(self, volume: PreparedVolume, rows: Iterable[dict]) -> dict:
        """The volume's row, made of those of its patches."""
        tally = Tally()
        for row in rows:
            tally.add(row)
        return volume_scores.facts(volume) | tally.figures()

    def write_scores(self, rows: Iterable[dict], volumes: Sequence[PreparedVolume], output: Path) -> int:
        """Writes the patches' rows to `output`, and those of their volumes beside it as `NAME.volumes.csv`; returns how many."""
        tally = VolumeScores()
        count = score_table.write(output, tally.passing(rows))
        tally.write(output.with_suffix(".volumes.csv"), volumes)
        return count

    def measure(
        self,
        detector: Any,
        volumes: Sequence[PreparedVolume],
        options: Options,
        output: Path,
        maps: str = "",
        on_each: OnEach | None = None,
    ) -> dict | None:
        """The figures of volumes whose patches' scores are in `output`, for metrics.json; None where nothing is restored.

        None as well without volumes, where whole B-scans are the images.

        Their maps are made once, one volume after the other. `maps`: the folder to write them into, "" for none. `on_each` is
        called with each volume's name, its data and maps (B, H, W) in the scanner's geometry, and its row of the table.
        """
        if not detector.RESTORES or not volumes:
            return None
        rows = volume_scores.read(output.with_suffix(".volumes.csv"))
        made = _area_maps(detector, volumes, rows, options, maps, on_each)
        return volume_metrics(volumes, made, rows, FLUID)

    def anywhere(self, volumes: Sequence[PreparedVolume], size: tuple[int, int], options: Options) -> ImageSet:
        """Patches from random places, as generated ones are: on a grid, their place would give the real ones away."""
        return dataset.random_patches(list(volumes), size, options.patches, options.seed)


def _area_maps(
    detector: Any, volumes: Sequence[PreparedVolume], rows: list[dict], options: Options, folder: str, on_each: OnEach | None
) -> Iterator[np.ndarray]:
    """The maps of overlapping patches, volume by volume; written, and handed on, as they are made."""
    batch_size = scoring.batch_size_for(options.score_batch_size)
    for volume, row in zip(tqdm(volumes, desc="mapping", unit="volume"), rows, strict=True):
        maps = area_maps(detector, volume, options.oct_stride, batch_size)
        if folder or on_each:
            data, whole = volume.source.make().data, volume.in_scanner_geometry(maps)
            if folder:
                save_volume_maps(Path(folder), volume, data, whole)
            if on_each:
                on_each(volume.name, data, whole, row)
        yield maps
