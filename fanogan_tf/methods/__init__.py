"""The methods by their names, and the one way to load a detector that any of them made."""

import dataclasses
import json
from pathlib import Path

from fanogan_tf.detection import members
from fanogan_tf.detection.calibration import Calibration
from fanogan_tf.detection.detector import FRONT, SETTINGS_FILE, Detector
from fanogan_tf.detection.members import MembersDetector
from fanogan_tf.detection.regions import Front
from fanogan_tf.errors import UserError
from fanogan_tf.methods.adv_ae import AdversarialAutoencoder
from fanogan_tf.methods.ae import Autoencoder
from fanogan_tf.methods.ali import BidirectionalGan
from fanogan_tf.methods.anogan import Anogan
from fanogan_tf.methods.base import Method, network_name
from fanogan_tf.methods.critic import Critic
from fanogan_tf.methods.fanogan import Fanogan
from fanogan_tf.methods.ganomaly import GanomalyMethod
from fanogan_tf.methods.iterative import Iterative
from fanogan_tf.methods.ocsvm import Ocsvm
from fanogan_tf.methods.pca import Pca
from fanogan_tf.methods.roi_ganomaly import RoiGanomalyMethod
from fanogan_tf.networks.precision import chosen
from fanogan_tf.options import Options

METHODS: dict[str, Method] = {
    "fanogan": Fanogan(),
    "iterative": Iterative(),
    "critic": Critic(),
    "anogan": Anogan(),
    "ae": Autoencoder(),
    "adv_ae": AdversarialAutoencoder(),
    "ali": BidirectionalGan(),
    "ganomaly": GanomalyMethod(),
    "roi_ganomaly": RoiGanomalyMethod(),
    "pca": Pca(),
    "ocsvm": Ocsvm(),
}


def settings(options: Options) -> dict[str, object]:
    """Name -> value of the options that have a say in the method and variant asked for; `network` as it was decided."""
    decided = dataclasses.replace(options, network=network_name(options))
    return {name: getattr(decided, name) for name in METHODS[options.method].settings(options)}


def detector_kinds() -> dict[str, type[Detector]]:
    """Every kind of detector by its name in files."""
    return {kind.KIND: kind for method in METHODS.values() for kind in method.DETECTORS}


def load_detector(folder: Path, precision: str = "") -> Detector:
    """Loads what `Detector.save` wrote.

    Args:
      folder: where it lies.
      precision: arithmetic to score in, see `NetworkSpec`, or `auto`; "" is that of the training.

    Raises:
      UserError: there is no detector in `folder`, or one of another version.
    """
    detector = _without_front(Path(folder), chosen(precision))
    if (Path(folder) / FRONT).is_dir():
        detector.front = Front.load(Path(folder) / FRONT)
    return detector


def _without_front(folder: Path, precision: str) -> Detector:
    path = folder / SETTINGS_FILE
    if not path.is_file():
        raise UserError(f"{folder}: no trained detector here; run fanogan train to the end first")
    settings = json.loads(path.read_text(encoding="utf-8"))
    if settings.get("kind") == members.KIND:
        parts = [load_detector(folder / str(number), precision) for number in range(len(settings["means"]))]
        return MembersDetector(parts, settings["means"], Calibration.from_json(settings["calibration"]))
    kind = detector_kinds().get(settings.get("kind"))
    if kind is None:
        raise UserError(f"{path}: not written by this version of fanogan_tf; run fanogan train on its run once more")
    return kind.from_settings(settings, folder, precision)
