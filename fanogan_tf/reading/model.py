"""The model that answers: a calibrated detector, whose it is, and what it was made for, films or volumes."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf.data.dicom import read_image_dicom
from fanogan_tf.data.image_stream import unlabelled_batch
from fanogan_tf.data.pixels import resize, to_signed
from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.reading import results, volumes
from fanogan_tf.reading.finding import Algorithm, Finding

# As DICOM names them, where nothing else is asked for.
FILMS, VOLUMES = ("CR", "DX"), ("OPT",)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is said of one instance.

    Attributes:
      finding: see there.
      objects: the results by their kind, pydicom Datasets.
      restored: (h, w, 1) in [-1, 1] as the networks restored it; None where it is not shown.
      certainly_normal: what the filter says; None where there is none.
    """

    finding: Finding
    objects: dict[str, Any]
    restored: np.ndarray | None = None
    certainly_normal: bool | None = None


@dataclasses.dataclass(frozen=True)
class FilmModel:
    """Answers single images.

    Attributes:
      detector: calibrated; anything that can `judge`.
      algorithm: who says it.
      marked_from, whole_seen: see `Finding`.
      modalities: what it was made for, as DICOM names it.
    """

    detector: Any
    algorithm: Algorithm
    marked_from: float | None
    modalities: tuple[str, ...]
    whole_seen: bool = True

    def answer(self, path: Path, source: Any) -> Answer:
        """What is said of the image at `path`; source: the same, read.

        Raises:
          UserError: it cannot be read, or its organ is not found.
          ValueError: what `Finding.of` and `results.objects` raise.
        """
        image = read_image_dicom(path)
        seen = resize(self.detector.cut(image), self.detector.image_shape[:2])
        batch = unlabelled_batch([""], [seen])
        said = {name: values[0] for name, values in self.detector.judge(batch["image"]).items()}
        finding = Finding.of(said, batch["image"][0], self.marked_from, self.whole_seen, self.detector.box(image))
        sure = said.get("certainly_normal")
        made = results.objects(source, to_signed(image), finding, self.algorithm)
        return Answer(finding, made, said.get("reconstruction"), None if sure is None else bool(sure))


@dataclasses.dataclass(frozen=True)
class VolumeModel:
    """Answers OCT volumes; see `FilmModel`. options: those that the detector was trained with."""

    detector: Any
    algorithm: Algorithm
    calibration: Calibration
    modalities: tuple[str, ...]
    options: Options

    def answer(self, path: Path, source: Any) -> Answer:
        """What is said of the volume at `path`; source: the same, read.

        Raises:
          UserError: it cannot be read, or there is no retina in it.
          ValueError: what `results.objects` raises.
        """
        from fanogan_tf.datasets import DATASETS
        from fanogan_tf.detection import scoring

        above, kept = DATASETS[self.options.dataset].groups, []
        assert above is not None
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "scores.csv"
            opened = DATASETS[self.options.dataset].open
            patches, groups = opened([path], self.options, Path(folder), self.detector.image_shape, self.detector.cut)
            batch_size = scoring.batch_size_for(self.options.score_batch_size, self.detector.image_shape)
            above.write_scores(scoring.score_rows(self.detector, patches, batch_size), groups, table)
            above.measure(self.detector, groups, self.options, table, on_each=lambda *one: kept.append(one))
        ((_, data, maps, figures),) = kept
        finding, _ = volumes.finding(data, maps, figures, self.calibration)
        return Answer(finding, volumes.objects(source, maps, finding, self.algorithm))


def exported(path: Path, modalities: tuple[str, ...] = ()) -> FilmModel | VolumeModel:
    """The exported model at `path`. modalities: what it is asked of; () for FILMS or VOLUMES, as it was trained.

    Raises:
      UserError: there is no model of ours, or one that needs more than the image, or restores no volumes; its card is gone.
    """
    from fanogan_tf.serving import exported as models
    from fanogan_tf.serving import model_card

    served = models.load(path)
    if served.INPUTS != ("image",):
        raise UserError(f"{served.path}: needs {', '.join(served.INPUTS)} of every image, and a node gets images alone")
    card = served.card
    if not card:
        raise UserError(f"{served.path}: its model card is gone; export the run again")
    options = model_card.options(card, served.path, Options(), frozenset())
    algorithm = Algorithm.of(options.method, card["weights"], options.false_positive_rate)
    calibration = Calibration.from_json(card["calibration"])
    if options.dataset.startswith("oct"):
        if not served.RESTORES or not options.patches:
            raise UserError(f"{served.path}: has no maps of whole volumes, which a node sends; export another run")
        # What cannot be read is to be told, and not skipped.
        options = dataclasses.replace(options, skip_unreadable=False)
        return VolumeModel(served, algorithm, calibration, modalities or VOLUMES, options)
    return FilmModel(served, algorithm, calibration.marked_from, modalities or FILMS, options.region != "crop")
