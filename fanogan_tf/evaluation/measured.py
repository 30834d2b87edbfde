"""The measurements that a report needs of the networks: made once, while scoring, and kept with the scores."""

import dataclasses
import hashlib
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf import files
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.data.pixels import to_grey
from fanogan_tf.detection import maps
from fanogan_tf.detection.detector import SETTINGS_FILE, Detector
from fanogan_tf.detection.score_table import ScoreTable
from fanogan_tf.errors import UserError
from fanogan_tf.evaluation import metrics, no_model, screening
from fanogan_tf.evaluation.figures import image_rows, latent_walk
from fanogan_tf.evaluation.pixels import MapCounts

_FIGURES, _ARRAYS = "measured.json", "arrays.npz"


class Counting:
    """Counts the maps of scored batches against their masks, where there are any. Its size does not grow with their number.

    `residual`: the counts of the residuals. `beside`: of the critic's maps, by name, where the method has them. `masks`: whether
    anything was counted. `seconds`: how long that took, so that the scoring can be timed without it.
    """

    def __init__(self) -> None:
        self.residual = MapCounts()
        self.beside: dict[str, MapCounts] = {}
        self.missed: list[tuple[float, str, np.ndarray]] = []
        self.masks = False
        self.seconds = 0.0

    def maps(self) -> dict[str, MapCounts]:
        """All of them, by name, where there are several to compare."""
        return {"residual": self.residual, **self.beside} if self.beside else {}

    def update(self, batch: dict[str, np.ndarray], measured: dict[str, np.ndarray]) -> None:
        """Counts a batch with what the detector measured of it, and keeps anomalous images that the filter misses."""
        if "certainly_normal" in measured:
            for i in np.flatnonzero(measured["certainly_normal"] & (batch["label"] == metrics.ANOMALOUS)):
                self.missed.append((float(measured["score"][i]), str(batch["name"][i]), to_grey(batch["image"][i, ..., 0])))
            self.missed = sorted(self.missed, key=lambda kept: kept[:2])[: screening.MOST_MISSED]
        if "mask" not in batch or "residual" not in measured:
            return
        start = time.perf_counter()
        self.masks = True
        self.residual.update(measured["residual"], batch["mask"])
        for name in maps.OF_THE_CRITIC:
            if name in measured:
                self.beside.setdefault(name, MapCounts(maps.LARGEST_OF_THE_CRITIC)).update(measured[name], batch["mask"])
        self.seconds += time.perf_counter() - start


@dataclasses.dataclass(frozen=True)
class Measured:
    """What is kept.

    Attributes:
      scores: the checksum of the score table that it belongs to.
      settings: the checksum of the settings, calibration included, of the saved detector that measured it.
      threshold: the detector's.
      masks: whether pixels were counted.
      pixel: `MapCounts.result` of the residuals, with `maps`: name of a map, theirs or the critic's -> `MapCounts.compared`; {}
        where the method has none of the critic's. None where no pixel is anomalous.
      pixel_roc: (2, M), the ROC curve of the pixels, where there is one.
      looked: see `image_rows.look`; empty where the method restores no images.
      walked: see `latent_walk.walk`; empty where the method generates no images.
      groups: the figures of what is reported above the image, such as volumes.
      belongs: (N,) str, what each image belongs to, such as a patient; empty where each stands for itself.
      no_model: see `no_model.scores`; empty where the training images were not at hand.
      missed: names (N,) and images (N, H, W) uint8 of at most 24 anomalous images that the filter misses, the lowest score first;
        empty where it misses none, or there is none.
    """

    scores: str
    settings: str
    threshold: float
    masks: bool
    pixel: dict | None
    pixel_roc: np.ndarray | None
    looked: dict[str, dict[str, np.ndarray]]
    walked: dict[str, np.ndarray]
    groups: dict | None
    belongs: np.ndarray
    no_model: dict[str, np.ndarray]
    missed: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Writes it as `folder`, in place of what was there; never half."""
        values = {name: getattr(self, name) for name in ("scores", "settings", "threshold", "masks", "pixel", "groups")}
        arrays: dict[str, Any] = {f"walked/{name}": array for name, array in self.walked.items()}
        arrays |= {f"missed/{name}": array for name, array in self.missed.items()}
        arrays["belongs"] = self.belongs
        values |= {"kinds": list(self.looked), "no_model": list(self.no_model)}
        arrays |= {f"no_model/{number}": scores for number, scores in enumerate(self.no_model.values())}
        for number, block in enumerate(self.looked.values()):
            arrays |= {f"looked/{number}/{name}": array for name, array in block.items()}
        if self.pixel_roc is not None:
            arrays["pixel_roc"] = self.pixel_roc
        with files.whole_folder(Path(folder)) as temporary:
            (temporary / _FIGURES).write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
            np.savez(temporary / _ARRAYS, **arrays)


def measure(
    detector: Detector,
    test: ImageSet,
    table: ScoreTable,
    scores: Path,
    saved: Path,
    counting: Counting,
    *,
    seed: int = 0,
    groups: dict | None = None,
    train: ImageSet | None = None,
) -> Measured:
    """Measures what the figures show, and joins it with what was counted.

    Args:
      detector: has measure, RESTORES, calibration.threshold and, where it can_generate, generate and latent_dim.
      test: the test images, in the order of `table`.
      table: their scores, as read from the file `scores`.
      scores: the score table.
      saved: the folder that `detector` was loaded from.
      counting: what was counted while it was written.
      seed: of the choice of images.
      groups: see `Measured`.
      train: the training images, for the scores without a model.
    """
    pixel = counting.residual.result() if counting.masks else None
    if pixel is not None:
        pixel["maps"] = {name: counts.compared() for name, counts in counting.maps().items()}
    everything = np.arange(len(test))
    return Measured(
        scores=_sum(scores),
        settings=_sum(saved / SETTINGS_FILE),
        threshold=float(detector.calibrated().threshold),
        masks=counting.masks,
        pixel=pixel,
        pixel_roc=np.stack(counting.residual.pixels.roc_curve()) if pixel is not None else None,
        looked=image_rows.look(table, everything, detector, test, seed) if detector.RESTORES and len(table) else {},
        walked=latent_walk.walk(table.label, detector, test, seed) if detector.can_generate else {},
        groups=groups,
        belongs=np.array([], str) if test.groups is None else np.asarray(test.groups),
        missed={
            "names": np.array([name for _, name, _ in counting.missed]),
            "images": np.stack([image for *_, image in counting.missed]),
        }
        if counting.missed
        else {},
        no_model={} if train is None or not len(table) else no_model.scores(train, test, seed),
    )


def load(folder: Path, scores: Path, saved: Path) -> Measured:
    """Loads what `Measured.save` wrote.

    Args:
      folder: where it lies.
      scores: the score table that it must belong to.
      saved: the folder of the detector that it must have been measured by.

    Raises:
      UserError: it is not there, is damaged, or belongs to another table or another detector.
    """
    folder = Path(folder)
    if not (folder / _FIGURES).is_file():
        raise UserError(f"{folder}: nothing kept from the scoring; run fanogan score on this run again")
    try:
        values = json.loads((folder / _FIGURES).read_text(encoding="utf-8"))
        with np.load(folder / _ARRAYS, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        found, of_scores, of_settings = _joined(values, arrays), values["scores"], values["settings"]
    except (OSError, EOFError, ValueError, KeyError, IndexError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{folder}: damaged ({error}); run fanogan score on this run again") from error
    if of_scores != _sum(scores):
        raise UserError(f"{scores}: not the table that was scored last; run fanogan score on this run again")
    # A detector that was calibrated again has another threshold than the calls in the table.
    if of_settings != _sum(saved / SETTINGS_FILE):
        raise UserError(f"{folder}: of another detector than the run's; run fanogan score on this run again")
    return found


def _joined(values: dict, arrays: dict[str, np.ndarray]) -> Measured:
    """The two files of `Measured.save` together."""
    values = dict(values)
    kinds, names = values.pop("kinds"), values.pop("no_model", [])
    looked: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in kinds}
    walked: dict[str, np.ndarray] = {}
    missed: dict[str, np.ndarray] = {}
    pixel_roc, belongs, without = None, np.array([], str), {}
    for key, array in arrays.items():
        part, *rest = key.split("/")
        if part == "looked":
            looked[kinds[int(rest[0])]][rest[1]] = array
        elif part == "walked":
            walked[rest[0]] = array
        elif part == "missed":
            missed[rest[0]] = array
        elif part == "no_model":
            without[names[int(rest[0])]] = array
        elif part == "belongs":
            belongs = array
        else:
            pixel_roc = array
    return Measured(**values, pixel_roc=pixel_roc, looked=looked, walked=walked, belongs=belongs, no_model=without, missed=missed)


def _sum(path: Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
