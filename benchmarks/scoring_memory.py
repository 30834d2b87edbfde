"""The peak memory of scoring 7,000 and 70,000 PNG files of 28x28: python benchmarks/scoring_memory.py

Each number comes from a process of its own (untrained networks, noise images). The difference shows the growth.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import command
import numpy as np
from PIL import Image

from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.detection import score_table, scoring
from fanogan_tf.detection.calibration import calibrate
from fanogan_tf.methods.fanogan import EncoderDetector
from fanogan_tf.networks.spec import NetworkSpec


def peak_after_scoring(folder: Path, count: int) -> float:
    """Scores the first `count` images of `folder` in this process; returns its peak memory in MB."""
    spec = NetworkSpec((28, 28, 1), dim=16, latent_dim=16)
    networks = {name: getattr(spec, name)() for name in EncoderDetector.NETWORKS}
    detector = EncoderDetector(spec, **networks, kappa=1.0)
    detector.calibration = calibrate(np.arange(10.0), "quantile", 0.05)
    images = ImageStream(sorted(folder.iterdir())[:count], spec.image_shape)
    score_table.write(folder.parent / f"{count}.csv", scoring.score_rows(detector, images, batch_size=64))
    return 1000 * command.peak_memory_gb()


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "images"
        folder.mkdir()
        rng = np.random.default_rng(0)
        for i in range(70_000):
            Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(folder / f"{i:05d}.png")
        peaks = {}
        for count in (7_000, 70_000):
            again = [sys.executable, __file__, str(folder), str(count)]
            output = subprocess.run(again, check=True, stdout=subprocess.PIPE, text=True, env=os.environ).stdout
            peaks[count] = float(output.splitlines()[-1])
        print(json.dumps({f"peak_mb_{count}_images": round(peak) for count, peak in peaks.items()}))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(peak_after_scoring(Path(sys.argv[1]), int(sys.argv[2])))
    else:
        main()
