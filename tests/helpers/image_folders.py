"""Folders of made-up images, as `--dataset=folder` takes them."""

from pathlib import Path

import numpy as np
from PIL import Image


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def noise(seed: int, shape: tuple[int, ...] = (12, 16), dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def patients(root: Path, side: int = 16, regions: bool = False, masks: bool = False) -> Path:
    """24 dark images of 8 patients to train on; 6 of 2 others to test on, and 4 of 2 more with a bright square each."""
    random = np.random.default_rng(0)
    for split, folder, numbers, count in (
        ("train", "train_normal", range(8), 3),
        ("test", "test_normal", range(8, 10), 3),
        ("test", "test_anomalous", range(10, 12), 2),
    ):
        for patient in numbers:
            for view in range(count):
                name = f"patient{patient}_{view}.png"
                image = random.integers(20, 90, (side, side), np.uint8)
                mask = np.zeros((side, side), np.uint8)
                if folder == "test_anomalous":
                    mask[4:9, 5:10] = 255
                    image[mask > 0] = 250
                    if masks:
                        save(root / "test_masks" / f"patient{patient}" / name, mask)
                save(root / folder / f"patient{patient}" / name, image)
                if regions:
                    region = np.zeros((side, side), np.uint8)
                    region[2:-2, 1 : 8 + view] = 1
                    save(root / f"{split}_regions" / f"patient{patient}" / name, region)
    return root
