"""A calibrated detector as a SavedModel that TensorFlow alone can serve."""

import hashlib
import json
from pathlib import Path

import keras

from fanogan_tf import files
from fanogan_tf.detection.detector import Detector
from fanogan_tf.errors import UserError
from fanogan_tf.serving import warmup
from fanogan_tf.serving.layout import CARD, EXTRA, versions
from fanogan_tf.serving.signatures import signatures


def export(detector: Detector, folder: Path, version: int = 0, card: dict | None = None) -> Path:
    """Writes `folder/<version>`: saved_model.pb, variables/, and in assets.extra/ the warm-up requests and model_card.json.

    It appears when it is complete, so that a server that watches `folder` never sees half of it.

    Args:
      detector: calibrated.
      version: its number; 0 for the one after the highest that is there, 1 if there is none.
      card: see `model_card`; signatures and sums of the files are added.

    Returns:
      `folder/<version>`.

    Raises:
      UserError: that version is there, or the folder cannot be written.
    """
    folder = Path(folder)
    try:
        number = version or max(versions(folder), default=0) + 1
        path = folder / str(number)
        with files.new_folder(path) as temporary:
            described = _write(detector, temporary)
            content = {**(card or {}), "signatures": described, "sha256": sums(temporary)}
            (temporary / CARD).write_text(json.dumps(content, indent=1), encoding="utf-8")
    except FileExistsError as error:
        if not folder.is_dir():
            raise UserError(f"--output={folder}: is a file; take another folder") from error
        raise UserError(
            f"{path}: is there already, and no version is written over; leave out --version for the next one"
        ) from error
    except OSError as error:
        raise UserError(f"--output={folder}: cannot be written ({error.strerror}); take another folder") from error
    return path


def _write(detector: Detector, folder: Path) -> dict:
    """Fills `folder` but for the card; returns what the signatures take and return."""
    # The archive finds the variables by itself; networks given to `track` would be stored twice.
    archive = keras.export.ExportArchive()
    described = {}
    for name, function in signatures(detector).items():
        concrete = function.get_concrete_function()
        archive.add_endpoint(name, function)
        inputs = {spec.name: spec for spec in function.input_signature}
        described[name] = {"inputs": _described(inputs), "outputs": _described(concrete.structured_outputs)}
    archive.write_out(str(folder), verbose=False)
    (folder / EXTRA).mkdir()
    warmup.write(folder / EXTRA / warmup.FILE, detector.spec.image_shape)
    return described


def _described(specs: dict) -> dict:
    return {name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()} for name, spec in sorted(specs.items())}


def sums(folder: Path) -> dict[str, str]:
    """Of every file below `folder`, by its path from there: what sha256sum prints."""
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
