"""All results of scored DICOM images as files: DIR/STUDY/NAME.report.dcm, .overlay.dcm, .segmentation.dcm and .map.dcm.

Of OCT volumes NAME.parametric_map.dcm as well.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fanogan_tf import files
from fanogan_tf.data.dicom import open_dicom, read_image_dicom
from fanogan_tf.data.pixels import to_signed
from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.errors import UserError, need
from fanogan_tf.options import Options
from fanogan_tf.reading import overlay, report_document, segmentation, volumes
from fanogan_tf.reading.finding import Algorithm, Finding, deidentified_as, whole

# Of a film, where it was cropped; None where it was not, or the model itself says so.
Box = Callable[[np.ndarray], tuple[int, int, int, int] | None]


def objects(source: Any, film: np.ndarray | None, finding: Finding, algorithm: Algorithm) -> dict[str, Any]:
    """The results of one image by their kind, pydicom Datasets.

    source: what the image was read from. film: (H, W) in [-1, 1], the whole image.

    Raises:
      ValueError: the source does not say which study it belongs to, or holds values that the standard does not allow.
    """
    source = whole(source)
    found = {
        report_document.KIND: report_document.report(source, finding, algorithm),
        overlay.KIND: overlay.secondary_capture(source, film, finding, algorithm),
    }
    found |= segmentation.segmentations(source, finding, algorithm)
    return deidentified_as(source, found)


class Results:
    """Writes the results of every scored batch, or volume, below `folder`.

    whole_seen: whether the networks saw whole images. box: where they saw a part, of a film (H, W) uint16: which, `Front.box`.
    """

    def __init__(self, folder: Path, algorithm: Algorithm, calibration: Calibration, whole_seen: bool, box: Box):
        need("highdicom", "reading", "--dicom")
        self.folder, self.algorithm, self.calibration = Path(folder), algorithm, calibration
        self.whole_seen, self.box = whole_seen, box
        self.written = 0
        self.left_out: list[str] = []

    @classmethod
    def of(cls, folder: Path, calibration: Calibration, weights: dict[str, str], options: Options, box: Box) -> "Results":
        """What `--dicom` asks for. weights: sha256 of each file of the detector, by its name. box: see the class.

        Raises:
          UserError: highdicom is not installed.
        """
        algorithm = Algorithm.of(options.method, weights, options.false_positive_rate)
        return cls(folder, algorithm, calibration, options.region != "crop", box)

    @classmethod
    def of_card(cls, folder: Path, card: dict, path: Path, options: Options) -> "Results":
        """`of`, by the card of the exported model at `path`.

        Raises:
          UserError: it does not say how the model was calibrated; or what `of` raises.
        """
        try:
            calibration, weights = Calibration.from_json(card["calibration"]), card["weights"]
        except KeyError as error:
            raise UserError(f"{path}: its model card has no {error}; export the run again") from error
        return cls.of(folder, calibration, weights, options, lambda film: None)

    def save(self, batch: dict, judged: dict) -> None:
        """The results of each DICOM image of a batch; others have no study to stand in."""
        for place, name in enumerate(batch["name"]):
            with self._one(str(name)):
                path, image = Path(str(name)), batch["image"][place]
                source, film = open_dicom(path), read_image_dicom(path)
                said = {key: values[place] for key, values in judged.items()}
                finding = Finding.of(said, image, self.calibration.marked_from, self.whole_seen, self.box(film))
                self._write(path, source, objects(source, to_signed(film), finding, self.algorithm))

    def save_volume(self, name: str, data: np.ndarray, maps: np.ndarray, figures: dict) -> None:
        """The results of an OCT volume, where it is a DICOM object; name: its path. The rest: see `volumes.finding`."""
        with self._one(name):
            source = open_dicom(Path(name))
            found, _ = volumes.finding(data, maps, figures, self.calibration)
            self._write(Path(name), source, volumes.objects(source, maps, found, self.algorithm))

    @contextlib.contextmanager
    def _one(self, name: str) -> Iterator[None]:
        """What is wrong with one image, in the words of pydicom or highdicom; the scores of all others stand."""
        try:
            yield
        except (UserError, ValueError, AttributeError, TypeError, KeyError) as error:
            self.left_out.append(f"{name} ({' '.join(str(error).split())[:200]})")

    def _write(self, path: Path, source: Any, made: dict[str, Any]) -> None:
        study = self.folder / str(source.StudyInstanceUID)
        for kind, result in made.items():
            with files.whole_file(study / f"{path.stem}.{source.SOPInstanceUID}.{kind}.dcm") as temporary:
                result.save_as(temporary, enforce_file_format=True)
        self.written += 1

    def tell(self) -> None:
        """Says how many images got results, and which did not."""
        print(f"DICOM results of {self.written} images: {self.folder}")
        if self.left_out:
            print(f"warning: no DICOM results of {len(self.left_out)} images: {'; '.join(self.left_out[:3])}", file=sys.stderr)
