"""Every kind of detector by its name in files, and the one way to load any of them."""

import json
from pathlib import Path

from fanogan_tf.detection.anogan_detector import AnoganDetector, GanRDetector
from fanogan_tf.detection.autoencoder_detector import AutoencoderDetector
from fanogan_tf.detection.critic_detector import CriticDetector
from fanogan_tf.detection.detector import SETTINGS_FILE, Detector
from fanogan_tf.detection.discriminator_detector import DiscriminatorDetector
from fanogan_tf.detection.encoder_detector import EncoderDetector
from fanogan_tf.detection.ganomaly_detector import GanomalyDetector
from fanogan_tf.detection.iterative_detector import IterativeDetector, WarmIterativeDetector
from fanogan_tf.detection.ocsvm_detector import OcsvmDetector
from fanogan_tf.detection.pair_detector import PairDetector
from fanogan_tf.detection.pca_detector import PcaDetector
from fanogan_tf.errors import UserError

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


def load(folder: Path, precision: str = "") -> Detector:
    """The reverse of `Detector.save`. `precision`: arithmetic to score in, see `NetworkSpec`; "" is that of the training.

    Raises:
      UserError: there is no detector in `folder`, or one of another version.
    """
    path = Path(folder) / SETTINGS_FILE
    if not path.is_file():
        raise UserError(f"{folder}: no trained detector here; run scripts/train.py to the end first")
    settings = json.loads(path.read_text(encoding="utf-8"))
    kind = KINDS.get(settings.get("kind"))
    if kind is None:
        raise UserError(f"{path}: not written by this version of fanogan_tf; run scripts/train.py on its run once more")
    return kind.from_settings(settings, Path(folder), precision)
