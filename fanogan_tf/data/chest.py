"""`--dataset=chest_xray`: public sets of chest films in the layout that they are downloaded in.

    Kermany et al.         train/NORMAL, test/NORMAL, test/PNEUMONIA; bacteria or virus and the patient in the file's name
    Montgomery             CXR_png, the label at the name's end, ManualMask/leftMask and rightMask
    Shenzhen               CXR_png, the label at the name's end, and Stirenko's masks, where a film has one
    NIH ChestX-ray14       Data_Entry*.csv, images anywhere below, train_val_list.txt and test_list.txt, BBox_List*.csv
    RSNA pneumonia         stage_2_train_labels.csv and stage_2_detailed_class_info.csv, DICOM films in stage_2_train_images

A folder of several of these, such as Montgomery's and Shenzhen's, is all of them together. Where the data do not say which films
are for testing, a tenth of the normal patients is, and as many abnormal films (as in the chest X-ray thesis).

No patient is on two sides. Films of unclear kind and lateral views are left out and counted.
"""

import csv
import dataclasses
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from fanogan_tf.data.decode import find_images
from fanogan_tf.data.grouping import hold_out_groups
from fanogan_tf.data.image_files import Finder, ImageFile, prepared
from fanogan_tf.data.image_set import Splits
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.random_streams import Stream

TEST_SHARE = 0.1
NORMAL, ANOMALOUS = 0, 1


@dataclasses.dataclass
class Films:
    """What a layout holds.

    Attributes:
      trained, tested: films that the data say are for training, or testing.
      either: films of which the data do not say.
      left_out: why -> how many.
    """

    trained: list[ImageFile] = dataclasses.field(default_factory=list)
    tested: list[ImageFile] = dataclasses.field(default_factory=list)
    either: list[ImageFile] = dataclasses.field(default_factory=list)
    left_out: dict[str, int] = dataclasses.field(default_factory=dict)

    def leave_out(self, why: str) -> None:
        """Counts one film that is left out."""
        self.left_out[why] = self.left_out.get(why, 0) + 1


def load(options: Options, cache_dir: Path, finder: Finder | None = None) -> Splits:
    """Opens the films below `options.data_path`, see `image_files.prepared`.

    Raises:
      UserError: no layout is known, a mask or a column is missing, films are too few, or what `prepared` raises.
    """
    if not options.data_path:
        raise UserError("--dataset=chest_xray: give the folder that the data were unpacked to with --data_path")
    root = Path(options.data_path)
    films = _found(root)
    for why, count in films.left_out.items():
        print(f"left out {count} films: {why}", file=sys.stderr)
    return prepared(parted(films, options.validation_fraction, options.split_seed, root), options, cache_dir, finder)


def parted(films: Films, held_out: float, seed: int, root: Path) -> dict[str, list[ImageFile]]:
    """Train, validation and test, by patient.

    Raises:
      UserError: too few normal films, or none that is abnormal.
    """
    train = [film for film in films.trained if film.label == NORMAL]
    test = list(films.tested)
    normal, abnormal = ([film for film in films.either if film.label == label] for label in (NORMAL, ANOMALOUS))
    if normal:
        kept, tested = _by_patient(normal, TEST_SHARE, [seed, Stream.TEST_SPLIT], root)
        train += kept
        test += tested
        order = np.random.default_rng([seed, Stream.TEST_ABNORMAL]).permutation(len(abnormal))[: len(tested)]
        test += [abnormal[i] for i in np.sort(order)]
    for label, kind in ((NORMAL, "normal"), (ANOMALOUS, "abnormal")):
        if not any(film.label == label for film in test):
            raise UserError(f"{root}: no {kind} films to test on; is the download complete?")
    patients = {film.group for film in test}
    train = [film for film in train if film.group not in patients]
    train, validation = _by_patient(train, held_out, seed, root)
    # Boxes tell the normal pixels of a film only where every abnormal film has some.
    if any(not film.boxes for film in test if film.label == ANOMALOUS):
        test = [dataclasses.replace(film, boxes=()) for film in test]
    return {"train": train, "validation": validation, "test": test}


def _by_patient(
    films: list[ImageFile], share: float, seed: int | list[int], root: Path
) -> tuple[list[ImageFile], list[ImageFile]]:
    groups = [film.group for film in films]
    if len(set(groups)) < 2:
        raise UserError(f"{root}: normal films of {len(set(groups))} patients, too few to part; is the download complete?")
    kept, held = hold_out_groups(groups, share, seed)
    return [films[i] for i in kept], [films[i] for i in held]


def _found(root: Path) -> Films:
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give --data_path the folder that the data were unpacked to")
    whole = Films()
    places = [root, *(path for path in sorted(root.iterdir()) if path.is_dir())]
    known = [(place, read) for place in places for there, read in LAYOUTS if there(place)]
    # What lies in a known folder is its own.
    if any(place == root for place, _ in known):
        known = [(place, read) for place, read in known if place == root]
    if not known:
        raise UserError(
            f"{root}: no set of chest films that is known by its layout (Kermany, Montgomery, Shenzhen, NIH ChestX-ray14, RSNA); "
            "for films of your own take --dataset=folder"
        )
    for place, read in known:
        read(place, root, whole)
    return whole


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _kermany(folder: Path, root: Path, films: Films) -> None:
    for split, into in (("train", films.trained), ("test", films.tested)):
        for kind, label in (("NORMAL", NORMAL), ("PNEUMONIA", ANOMALOUS)):
            for path in find_images(folder / split / kind):
                cause = next((cause for cause in ("bacteria", "virus") if cause in path.stem), "pneumonia")
                # IM-0115-0001, NORMAL2-IM-1423-0001, person10_virus_35. Normal and abnormal numbers are not of one list.
                patient = re.match(r"(?:NORMAL2-)?IM-\d+|person\d+", path.stem)
                group = f"{folder.name}/{patient[0] if patient else path.stem}"
                class_name = cause if label else "normal"
                into.append(ImageFile(path, _name(path, root), label, class_name, group=group))


def _montgomery(folder: Path, root: Path, films: Films) -> None:
    masks = [folder / "ManualMask" / side for side in ("leftMask", "rightMask")]
    for path in find_images(folder / "CXR_png"):
        regions = tuple(mask / path.name for mask in masks)
        missing = next((region for region in regions if not region.is_file()), None)
        if missing:
            raise UserError(f"{missing}: no such mask, but {path.name} is there; unpack the data again")
        _tuberculosis(path, root, films, regions)


def _shenzhen(folder: Path, root: Path, films: Films) -> None:
    masks = {path.stem: path for name in ("mask", "masks") for path in find_images(folder / name)}
    for path in find_images(folder / "CXR_png"):
        region = masks.get(f"{path.stem}_mask")
        if masks and region is None:
            films.leave_out(f"{folder.name}: no mask of the lungs")
            continue
        _tuberculosis(path, root, films, (region,) if region else ())


def _tuberculosis(path: Path, root: Path, films: Films, regions: tuple[Path, ...]) -> None:
    """MCUCXR_0001_0.png: a film for each patient, 1 at the end for tuberculosis."""
    if path.stem[-2:] not in ("_0", "_1"):
        films.leave_out("its name does not end in _0 or _1")
        return
    label = int(path.stem[-1])
    class_name = "tuberculosis" if label else "normal"
    films.either.append(ImageFile(path, _name(path, root), label, class_name, regions=regions, group=path.stem[:-2]))


def _nih(folder: Path, root: Path, films: Films) -> None:
    table = next(iter(sorted(folder.glob("Data_Entry*.csv"))))
    there = {path.name: path for path in find_images(folder)}
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    for file in sorted(folder.glob("BBox_List*.csv")):
        for row in _rows(file, "Image Index"):
            values = list(row.values())
            x, y, width, height = (_number(value, file) for value in values[2:6])
            boxes.setdefault(row["Image Index"], []).append((x, y, width, height))
    lists = {name: _lines(folder / f"{name}_list.txt") for name in ("train_val", "test")}
    absent = []
    for row in _rows(table, "Image Index", "Finding Labels", "Patient ID", "View Position"):
        name = row["Image Index"]
        if name not in there:
            absent.append(name)
            continue
        if row["View Position"] not in ("PA", "AP"):
            films.leave_out("a lateral view, or one that is not told")
            continue
        findings = [finding for finding in row["Finding Labels"].split("|") if finding != "No Finding"]
        class_name = (findings[0] if len(findings) == 1 else "several findings") if findings else "normal"
        label = ANOMALOUS if findings else NORMAL
        path = there[name]
        film = ImageFile(
            path,
            _name(path, root),
            label,
            class_name,
            boxes=tuple(boxes.get(name, ())),
            group=f"{folder.name}/{row['Patient ID']}",
        )
        into = films.trained if name in lists["train_val"] else films.tested if name in lists["test"] else films.either
        into.append(film)
    _tell_absent(absent, table, films)


def _rsna(folder: Path, root: Path, films: Films) -> None:
    labels = folder / "stage_2_train_labels.csv"
    classes = {row["patientId"]: row["class"] for row in _rows(folder / "stage_2_detailed_class_info.csv", "patientId", "class")}
    there = {path.stem: path for path in find_images(folder / "stage_2_train_images")}
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    for row in _rows(labels, "patientId", "x", "y", "width", "height", "Target"):
        found = boxes.setdefault(row["patientId"], [])
        if row["Target"] == "1":
            x, y, width, height = (_number(row[name], labels) for name in ("x", "y", "width", "height"))
            found.append((x, y, width, height))
    absent = []
    for name, found in boxes.items():
        if name not in there:
            absent.append(name)
        elif not found and classes.get(name) != "Normal":
            films.leave_out("neither normal nor marked: no opacity, but not normal")
        else:
            path, label = there[name], ANOMALOUS if found else NORMAL
            class_name = "opacity" if found else "normal"
            films.either.append(
                ImageFile(path, _name(path, root), label, class_name, boxes=tuple(found), group=f"{folder.name}/{name}")
            )
    _tell_absent(absent, labels, films)


def _tell_absent(absent: list[str], table: Path, films: Films) -> None:
    """Films in a list that are not in the folder, where some are: a part of the data may be all that was downloaded."""
    if absent:
        some = ", ".join(absent[:3]) + (", ..." if len(absent) > 3 else "")
        films.left_out[f"in {table.name}, but not in the folder: {some}"] = len(absent)


def _rows(path: Path, *columns: str) -> Iterator[dict[str, str]]:
    """The rows of a CSV.

    Raises:
      UserError: it is not there, is no CSV, or lacks a column.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; it comes with the data")
    try:
        with open(path, newline="", encoding="utf-8-sig") as table:
            reader = csv.DictReader(table)
            missing = [column for column in columns if column not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path}: no column {missing[0]}; is it the file that comes with the data?")
            yield from reader
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV in UTF-8 ({error}); take the file that comes with the data") from error


def _lines(path: Path) -> frozenset[str]:
    return frozenset(path.read_text(encoding="utf-8").split()) if path.is_file() else frozenset()


def _number(text: str, path: Path) -> float:
    try:
        return float(text)
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: {text!r} is no number; take the file that comes with the data") from error


# How a layout is known, and read into films: (its folder, the folder that names are relative to, films).
LAYOUTS: tuple[tuple[Callable[[Path], bool], Callable[[Path, Path, Films], None]], ...] = (
    (lambda folder: any(folder.glob("Data_Entry*.csv")), _nih),
    (lambda folder: (folder / "stage_2_train_labels.csv").is_file(), _rsna),
    (lambda folder: (folder / "CXR_png").is_dir() and (folder / "ManualMask").is_dir(), _montgomery),
    (lambda folder: any(folder.glob("CXR_png/CHNCXR_*")), _shenzhen),
    (lambda folder: (folder / "train" / "NORMAL").is_dir() and (folder / "test" / "NORMAL").is_dir(), _kermany),
)
