"""The measurements of a finished run of flags/oct_phantom.flags, kept: python benchmarks/oct_phantom.py RUN_DIR"""

import json
import sys
from pathlib import Path

import harness

from fanogan_tf.methods import fanogan
from fanogan_tf.run_directory import RunDirectory

WHAT = (
    "f-AnoGAN on a SYNTHETIC PHANTOM of retinal OCT, not comparable with the published figures, "
    "which are from private data of real eyes and stand beside it for orientation only. Test volumes have other seeds and other "
    "sizes of lesions than any used while developing."
)
# f-AnoGAN (izi_f, tanh), Table 1 and Table B1, at the Youden index.
PUBLISHED = {
    "source": "Schlegl et al. 2019, Table 1 (image level) and Table B1 (pixel level): 70,000 patches of real OCT",
    "image": {"precision": 0.7863, "sensitivity": 0.8091, "specificity": 0.9049, "f_score": 0.7975, "auroc": 0.9301},
    "pixel": {"sensitivity": 0.6907, "specificity": 0.7534, "auroc": 0.7831},
}


def main(folder: Path) -> None:
    run = RunDirectory(folder)
    result = {
        "flags": run.flags.read_text(encoding="utf-8").splitlines(),
        "training_seconds": fanogan.training_seconds(run),
        "metrics": json.loads((run.report / "metrics.json").read_text(encoding="utf-8")),
        "published": PUBLISHED,
    }
    harness.write("oct_phantom", WHAT, "python fanogan run --flagfile=flags/oct_phantom.flags --run_dir=RUN_DIR", result)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
