"""Which images belong together, so that no patient stands on two sides (`--group_by`), or are alike (`--subgroups`)."""

import csv
import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from fanogan_tf.errors import UserError

_FORMS = "folder:1, name:PATTERN or csv:FILE:COLUMN"


def group_finder(rule: str, root: Path, flag: str = "--group_by") -> Callable[[str], str]:
    """Reads a rule by which images are grouped.

    Args:
      rule: `folder:N`, the first N folders below that of the split; `name:PATTERN`, what the first parentheses of a regular
        expression match in the file's name without its ending; or `csv:FILE:COLUMN`, a column of a CSV in `root` or elsewhere,
        whose column `image`, or else its first, holds paths relative to `root`, or names of files, with or without their endings.
      root: the folder of the data set.
      flag: where the rule comes from, for messages.

    Returns:
      a function from an image's path relative to `root` to its group.

    Raises:
      UserError: no such rule, or an unusable CSV; and, by the function, an image that the rule finds no group for.
    """
    kind, _, rest = rule.partition(":")
    if kind == "folder" and rest.isdecimal() and int(rest) >= 1:
        return lambda name: _folder(name, int(rest), f"{flag}={rule}")
    if kind == "name":
        return _pattern(rest, f"{flag}={rule}")
    if kind == "csv" and ":" in rest:
        file, _, column = rest.rpartition(":")
        return _column(file, column, root, f"{flag}={rule}")
    raise UserError(f"{flag}={rule}: give it as {_FORMS}")


def _folder(name: str, level: int, rule: str) -> str:
    split, *folders = PurePosixPath(name).parts[:-1]
    if len(folders) < level:
        raise UserError(f"{rule}: {name} lies in no folder of level {level} below {split}; move it into its group's")
    return "/".join(folders[:level])


def _pattern(text: str, rule: str) -> Callable[[str], str]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UserError(f"{rule}: not a regular expression ({error}); fix the pattern") from error
    if pattern.groups < 1:
        raise UserError(f"{rule}: put the part that names the group in parentheses, as in name:^(patient[0-9]+)")

    def group(name: str) -> str:
        match = pattern.search(PurePosixPath(name).stem)
        if not match or not match[1]:
            raise UserError(f"{rule}: {name} does not match; rename it, or fix the pattern")
        return match[1]

    return group


def _column(file: str, column: str, root: Path, rule: str) -> Callable[[str], str]:
    path = root / file if (root / file).is_file() else Path(file)
    if not path.is_file():
        raise UserError(f"{rule}: {path}: no such file; give its path, or one relative to {root}")
    groups: dict[str, str] = {}
    try:
        # Spreadsheets put a byte order mark in front.
        with open(path, newline="", encoding="utf-8-sig") as table:
            reader = csv.DictReader(table)
            there = list(reader.fieldnames or ())
            if not there or column not in there:
                raise UserError(f"{path}: no column {column if there else 'image'}; it has {', '.join(there)}")
            image = "image" if "image" in there else there[0]
            for row in reader:
                known = groups.setdefault(row[image], row[column])
                if known != row[column]:
                    raise UserError(f"{path}: {row[image]} is in {known} and in {row[column]}; remove one of the rows")
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV in UTF-8 ({error}); save it as one") from error

    def group(name: str) -> str:
        file = PurePosixPath(name)
        forms = (name, file.name, file.with_suffix("").as_posix(), file.stem)
        found = next((groups[form] for form in forms if groups.get(form)), None)
        if not found:
            raise UserError(f"{path}: no {column} for {name}; add a row")
        return found

    return group


def hold_out_groups(groups: Sequence[str], fraction: float, seed: int | list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Parts items at random so that each group stays together, the same way for the same arguments.

    Returns:
      The kept and the held-out indices, each sorted: about `fraction` is held out, one group at least, and one is kept.

    Raises:
      ValueError: fewer than two groups.
    """
    names, members = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise ValueError(f"{len(names)} groups cannot be parted in two")
    sizes = np.bincount(members)
    order = np.random.default_rng(seed).permutation(len(names))
    # Where the number of images held out comes closest to what was asked for.
    sums = np.cumsum(sizes[order])[:-1]
    count = 1 + int(np.argmin(np.abs(sums - fraction * len(members))))
    held = np.isin(members, order[:count])
    return np.flatnonzero(~held), np.flatnonzero(held)


def check_apart(groups: dict[str, Sequence[str]], rule: str) -> None:
    """Refuses splits that share a group.

    Args:
      groups: split -> the groups of its images.
      rule: that of `--group_by`, for the message.

    Raises:
      UserError: some do (says how many groups, and which).
    """
    splits = {split: set(found) for split, found in groups.items()}
    names = list(splits)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            shared = sorted(splits[one] & splits[other])
            if shared:
                some = ", ".join(shared[:5]) + (", ..." if len(shared) > 5 else "")
                count = "1 group is" if len(shared) == 1 else f"{len(shared)} groups are"
                raise UserError(f"--group_by={rule}: {count} on two sides, {one} and {other}: {some}; move each to one")
