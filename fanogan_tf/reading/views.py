"""What the reader's page shows of an instance: the film as it was sent, and beside it what the networks saw and restored."""

import functools
import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from fanogan_tf import files
from fanogan_tf.reading.finding import Finding
from fanogan_tf.reading.ledger import Instance

# By name: grey levels of [-1, 1] for the first two; of the residual, 255 for 1 and more, as `maps.overlay` paints it.
NAMES = ("seen", "restored", "residual")
_OF_THE_PATIENT = ("PatientName", "PatientID", "StudyDate", "StudyDescription")


def results_of(folder: Path, row: Instance) -> Path:
    """The folder of an instance's results below that of its node; a name that no sender can choose."""
    return Path(folder) / "results" / hashlib.sha256(row.sop_instance.encode()).hexdigest()


def keep(folder: Path, finding: Finding, restored: np.ndarray | None) -> None:
    """Writes NAME.png for each of NAMES that there is into `folder`.

    restored: (h, w, 1) in [-1, 1]. The residual is that of the whole film, so that it can be laid over it.
    """
    # Brings TensorFlow, which the page does without.
    from fanogan_tf.data.pixels import to_grey

    made = {"seen": to_grey(finding.seen)}
    if restored is not None:
        made["restored"] = to_grey(restored[..., 0])
    if finding.residual is not None:
        made["residual"] = np.round(np.clip(finding.residual, 0.0, 1.0) * 255.0).astype(np.uint8)
    for name, pixels in made.items():
        with files.whole_file(folder / f"{name}.png") as temporary:
            Image.fromarray(pixels).save(temporary)


@functools.lru_cache(maxsize=4096)
def patient(path: str) -> dict[str, str]:
    """Who and what a file is about, by DICOM's names; empty texts where it does not say, or is not to be read."""
    import pydicom

    try:
        said = pydicom.dcmread(path, specific_tags=list(_OF_THE_PATIENT))
        known = {name: str(said.get(name) or "") for name in _OF_THE_PATIENT}
    except Exception:  # A damaged data set makes pydicom raise nearly anything; the row says why it failed.
        known = dict.fromkeys(_OF_THE_PATIENT, "")
    return {name: " ".join(text.replace("^", " ").split())[:100] for name, text in known.items()}
