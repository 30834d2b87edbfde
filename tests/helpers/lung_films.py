"""Made-up chest films: grey bodies with two dark lungs, and masks of these."""

from pathlib import Path

import numpy as np

from tests.helpers.image_folders import save

SIDE = 64


def film(seed: int, side: int = SIDE, bright: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """(side, side) uint8, and where its lungs are, bool. bright: with a bright patch in one of them."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side] / side
    region = np.zeros((side, side), bool)
    down, across = random.uniform(-0.05, 0.05, 2)
    for middle in (0.32, 0.68):
        region |= ((rows - 0.5 - down) / 0.3) ** 2 + ((columns - middle - across) / 0.14) ** 2 < 1
    grey = np.where(region, 50, 180) + random.normal(0, 8, region.shape)
    if bright:
        grey[(np.abs(rows - 0.5) < 0.1) & (np.abs(columns - 0.32) < 0.08)] = 230
    return np.clip(grey, 0, 255).astype(np.uint8), region


def folder(root: Path, train: int = 24, test: int = 6, side: int = SIDE) -> Path:
    """`--dataset=folder`, with regions."""
    for split, kind, count, first in (
        ("train", "train_normal", train, 0),
        ("test", "test_normal", test, 1000),
        ("test", "test_anomalous", test, 2000),
    ):
        for number in range(first, first + count):
            image, region = film(number, side, bright=kind == "test_anomalous")
            save(root / kind / f"{number}.png", image)
            save(root / f"{split}_regions" / f"{number}.png", region.astype(np.uint8) * np.uint8(255))
    return root
