"""One file per method: its training recipe and its Detector.

Every kind of detector by its name in files, and the one way to load any of them.
"""

import json
from pathlib import Path

from fanogan_tf.detection.detector import SETTINGS_FILE, Detector
from fanogan_tf.errors import UserError
from fanogan_tf.methods import adv_ae, ae, ali, anogan, critic, fanogan, ganomaly, iterative, ocsvm, pca
from fanogan_tf.methods.ae import AutoencoderDetector
from fanogan_tf.methods.ali import PairDetector
from fanogan_tf.methods.anogan import AnoganDetector, DiscriminatorDetector, GanRDetector
from fanogan_tf.methods.critic import CriticDetector
from fanogan_tf.methods.fanogan import EncoderDetector
from fanogan_tf.methods.ganomaly import GanomalyDetector
from fanogan_tf.methods.iterative import IterativeDetector, WarmIterativeDetector
from fanogan_tf.methods.ocsvm import OcsvmDetector
from fanogan_tf.methods.pca import PcaDetector

METHODS = {
    "fanogan": fanogan,
    "iterative": iterative,
    "critic": critic,
    "anogan": anogan,
    "ae": ae,
    "adv_ae": adv_ae,
    "ali": ali,
    "ganomaly": ganomaly,
    "pca": pca,
    "ocsvm": ocsvm,
}

# Of all methods, each once.
PHASES = tuple(dict.fromkeys(phase for method in METHODS.values() for phase in method.PHASES))


KINDS: dict[str, type[Detector]] = {
    kind.KIND: kind
    for kind in (
        EncoderDetector,
        IterativeDetector,
        WarmIterativeDetector,
        CriticDetector,
        AnoganDetector,
        GanRDetector,
        DiscriminatorDetector,
        AutoencoderDetector,
        PairDetector,
        GanomalyDetector,
        PcaDetector,
        OcsvmDetector,
    )
}


def load_detector(folder: Path, precision: str = "") -> Detector:
    """The reverse of `Detector.save`. `precision`: arithmetic to score in, see `NetworkSpec`; "" is that of the training.

    Raises:
      UserError: there is no detector in `folder`, or one of another version.
    """
    path = Path(folder) / SETTINGS_FILE
    if not path.is_file():
        raise UserError(f"{folder}: no trained detector here; run fanogan train to the end first")
    settings = json.loads(path.read_text(encoding="utf-8"))
    kind = KINDS.get(settings.get("kind"))
    if kind is None:
        raise UserError(f"{path}: not written by this version of fanogan_tf; run fanogan train on its run once more")
    return kind.from_settings(settings, Path(folder), precision)
