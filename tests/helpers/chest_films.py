"""Made-up films in the layouts of public sets of chest X-rays."""

import csv
from pathlib import Path

import numpy as np

from tests.helpers.image_folders import noise, save

SIDE = 20


def film(path: Path, seed: int) -> Path:
    return save(path, noise(seed, (SIDE, SIDE)))


def lungs(path: Path, left: bool) -> Path:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[4:16, slice(11, 18) if left else slice(2, 9)] = 255
    return save(path, mask)


def table(path: Path, columns: list[str], rows: list[list]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([columns, *rows])
    return path


def kermany(root: Path) -> Path:
    """12 normal patients to train on, one of them with two films, 3 + 4 films to test on."""
    for patient in range(12):
        film(root / "train" / "NORMAL" / f"IM-{100 + patient:04d}-0001.jpeg", patient)
    film(root / "train" / "NORMAL" / "IM-0100-0002.jpeg", 50)
    film(root / "train" / "PNEUMONIA" / "person1_virus_6.jpeg", 51)
    for patient in range(3):
        film(root / "test" / "NORMAL" / f"NORMAL2-IM-{200 + patient:04d}-0001.jpeg", 20 + patient)
    for patient, cause in enumerate(("bacteria", "bacteria", "virus", "virus")):
        film(root / "test" / "PNEUMONIA" / f"person{patient}_{cause}_{patient}.jpeg", 30 + patient)
    return root


def montgomery(root: Path, normal: int = 24, abnormal: int = 10) -> Path:
    for number in range(normal + abnormal):
        name = f"MCUCXR_{number:04d}_{int(number >= normal)}.png"
        film(root / "CXR_png" / name, number)
        for side in ("left", "right"):
            lungs(root / "ManualMask" / f"{side}Mask" / name, side == "left")
    return root


def shenzhen(root: Path) -> Path:
    """20 normal and 8 abnormal films; the last of either has no mask."""
    for number in range(28):
        stem = f"CHNCXR_{number:04d}_{int(number >= 20)}"
        film(root / "CXR_png" / f"{stem}.png", 100 + number)
        if number not in (19, 27):
            lungs(root / "mask" / f"{stem}_mask.png", left=True)
    return root


def nih(root: Path, lists: bool = True) -> Path:
    """Patients 0 to 9 for training, 10 to 13 for testing; a lateral view, and a film that is not there."""
    rows = []
    for patient in range(14):
        finding = {11: "Mass", 12: "Mass|Effusion", 13: "Effusion", 3: "Mass"}.get(patient, "No Finding")
        for view in range(2):
            name = f"{patient:08d}_{view:03d}.png"
            film(root / "images_001" / "images" / name, 200 + 2 * patient + view)
            rows.append([name, finding, patient, "AP" if view else "PA"])
    film(root / "images_001" / "images" / "00000020_000.png", 300)
    rows += [["00000020_000.png", "No Finding", 20, "LL"], ["00000021_000.png", "No Finding", 21, "PA"]]
    table(root / "Data_Entry_2017_v2020.csv", ["Image Index", "Finding Labels", "Patient ID", "View Position"], rows)
    boxes = [["00000011_000.png", "Mass", 2.0, 3.0, 5.0, 4.0]]
    table(root / "BBox_List_2017.csv", ["Image Index", "Finding Label", "Bbox [x", "y", "w", "h]"], boxes)
    if lists:
        (root / "train_val_list.txt").write_text("\n".join(row[0] for row in rows if row[2] < 10))
        (root / "test_list.txt").write_text("\n".join(row[0] for row in rows if row[2] >= 10))
    return root


def rsna(root: Path) -> Path:
    """30 normal films, 8 with one or two boxes, 2 that are neither. PNG instead of DICOM: who reads a film is not tested here."""
    labels, classes = [], []
    for number in range(40):
        name = f"film{number:02d}"
        film(root / "stage_2_train_images" / f"{name}.png", 400 + number)
        kind = "Normal" if number < 30 else "Lung Opacity" if number < 38 else "No Lung Opacity / Not Normal"
        classes.append([name, kind])
        if kind == "Lung Opacity":
            labels += [[name, 3, 4, 5, 6, 1]] + [[name, 12, 4, 3, 2, 1]] * (number % 2)
        else:
            labels.append([name, "", "", "", "", 0])
    table(root / "stage_2_train_labels.csv", ["patientId", "x", "y", "width", "height", "Target"], labels)
    table(root / "stage_2_detailed_class_info.csv", ["patientId", "class"], classes)
    return root
