"""Volumes as groups of patches: their scores, maps and figures."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.detection import score_table, scoring
from fanogan_tf.oct import dataset, volume_scores
from fanogan_tf.oct.map_files import save_volume_maps
from fanogan_tf.oct.maps import area_maps
from fanogan_tf.oct.preparation import PreparedVolume
from fanogan_tf.oct.volume import FLUID
from fanogan_tf.oct.volume_metrics import volume_metrics
from fanogan_tf.oct.volume_scores import VolumeScores
from fanogan_tf.options import Options


class Volumes:
    """What `Dataset.groups` does for data sets of volumes."""

    def write_scores(self, rows: Iterable[dict], volumes: Sequence[PreparedVolume], output: Path) -> int:
        """Writes the patches' rows to `output`, and those of their volumes beside it as `NAME.volumes.csv`; returns how many."""
        tally = VolumeScores()
        count = score_table.write(output, tally.passing(rows))
        tally.write(output.with_suffix(".volumes.csv"), volumes)
        return count

    def measure(
        self, detector: Any, volumes: Sequence[PreparedVolume], options: Options, output: Path, maps: str = ""
    ) -> dict | None:
        """The figures of volumes whose patches' scores are in `output`, for metrics.json; None where nothing is restored.

        None as well without volumes, where whole B-scans are the images.

        Their maps are made once, one volume after the other. `maps`: the folder to write them into, "" for none.
        """
        if not detector.RESTORES or not volumes:
            return None
        made = _area_maps(detector, volumes, options, maps)
        return volume_metrics(volumes, made, volume_scores.read(output.with_suffix(".volumes.csv")), FLUID)

    def anywhere(self, volumes: Sequence[PreparedVolume], size: tuple[int, int], options: Options) -> ImageSet:
        """Patches from random places, as generated ones are: on a grid, their place would give the real ones away."""
        return dataset.random_patches(list(volumes), size, options.patches, options.seed)


def _area_maps(detector: Any, volumes: Sequence[PreparedVolume], options: Options, folder: str) -> Iterator[np.ndarray]:
    """The maps of overlapping patches, volume by volume; written into `folder`, if that is not empty, as they are made."""
    batch_size = scoring.batch_size_for(options.score_batch_size)
    for volume in tqdm(volumes, desc="mapping", unit="volume"):
        maps = area_maps(detector, volume, options.oct_stride, batch_size)
        if folder:
            save_volume_maps(Path(folder), volume, volume.source.make().data, volume.in_scanner_geometry(maps))
        yield maps
