"""Groups by folder, pattern or table; and splits that keep them together."""

import numpy as np
import pytest

from fanogan_tf.data import folder
from fanogan_tf.data.grouping import check_apart, group_finder, hold_out_groups
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from tests.helpers.image_folders import patients

RULES = ("folder:1", r"name:^(patient\d+)", "csv:patients.csv:person")


@pytest.fixture
def root(tmp_path):
    root = patients(tmp_path / "root")
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    rows = "".join(f"{name},{name.split('/')[1]},x\n" for name in names)
    (root / "patients.csv").write_text("image,person,other\n" + rows)
    return root


def load(root, tmp_path, rule, **more):
    return folder.load(Options(dataset="folder", data_path=str(root), group_by=rule, **more), tmp_path / "cache")


def test_every_rule_keeps_patients_together(root, tmp_path):
    for rule in RULES:
        splits = load(root, tmp_path, rule, validation_fraction=0.25)
        groups = [set(part.groups.tolist()) for part in (splits.train, splits.validation, splits.test)]
        assert [len(found) for found in groups] == [6, 2, 4], rule
        assert len(set.union(*groups)) == 12, rule
        for part in (splits.train, splits.validation, splits.test):
            assert [name.split("/")[1] for name in part.names] == part.groups.tolist(), rule
        again = load(root, tmp_path, rule, validation_fraction=0.25)
        assert again.validation.names.tolist() == splits.validation.names.tolist(), rule


def test_patches_keep_the_group_of_their_image(root, tmp_path):
    splits = load(root, tmp_path, "folder:1", patches=2, image_size="8")
    assert len(splits.test) == 40 and len(set(splits.test.groups)) == 4
    batch = next(splits.test.batches(5))
    assert batch["group"].tolist() == splits.test.groups[:5].tolist()


def test_without_it_nothing_has_a_group(root, tmp_path):
    assert load(root, tmp_path, "").train.groups is None


def test_held_out_are_whole_groups_of_about_the_share_asked_for():
    groups = np.repeat(["a", "b", "c", "d"], [10, 20, 30, 40])
    for seed in range(20):
        kept, held = hold_out_groups(groups, 0.3, seed)
        assert sorted([*kept, *held]) == list(range(100))
        assert not set(groups[kept]) & set(groups[held])
        assert 10 <= len(held) <= 60
    parts = {tuple(hold_out_groups(groups, 0.3, seed)[1]) for seed in range(20)}
    assert len(parts) > 1
    assert [len(part) for part in hold_out_groups(["a", "b"], 0.01, 0)] == [1, 1]
    with pytest.raises(ValueError, match="1 groups"):
        hold_out_groups(["a", "a"], 0.5, 0)


def test_a_patient_on_two_sides_is_refused(root, tmp_path):
    (root / "val_normal").mkdir()
    for number in (2, 3):
        (root / "train_normal" / f"patient{number}").rename(root / "val_normal" / f"patient{number}")
    load(root, tmp_path, "folder:1")
    for path in sorted((root / "val_normal").rglob("*_0.png")):
        target = root / "train_normal" / path.parent.name
        target.mkdir()
        path.rename(target / path.name)
    with pytest.raises(UserError, match=r"2 groups are on two sides, train and validation: patient2, patient3; move"):
        load(root, tmp_path, "folder:1")


def test_bad_rules_and_images_without_a_group(root, tmp_path):
    for rule, said in {
        "patient": "give it as folder:1, name:PATTERN",
        "folder:0": "give it as folder:1",
        "folder:2": r"train_normal/patient0/patient0_0.png lies in no folder of level 2 below train_normal",
        "name:patient": "put the part that names the group in parentheses",
        "name:(": "not a regular expression",
        r"name:^(scan\d+)": "patient0_0.png does not match; rename it",
        "csv:none.csv:person": "none.csv: no such file",
        "csv:patients.csv:eye": "no column eye; it has image, person, other",
    }.items():
        with pytest.raises(UserError, match=said):
            load(root, tmp_path, rule)
    (root / "short.csv").write_text("image,person\npatient0_0.png,p0\n")
    with pytest.raises(UserError, match=r"short.csv: no person for .*patient0_1.png; add a row"):
        load(root, tmp_path, "csv:short.csv:person")
    assert group_finder("csv:short.csv:person", root)("anywhere/patient0_0.png") == "p0"
    for path in (root / "train_normal").iterdir():
        if path.name != "patient0":
            for image in path.iterdir():
                image.unlink()
    with pytest.raises(UserError, match="one group cannot be parted"):
        load(root, tmp_path, "folder:1")


def test_tables_of_spreadsheets_and_damaged_ones(root):
    def group(content):
        (root / "some.csv").write_bytes(content)
        return group_finder("csv:some.csv:person", root)("train_normal/1.png")

    assert group("\ufeffimage,person\r\n1.png,Müller\r\n".encode()) == "Müller"
    assert group(b"image,person\n1.png,a\n1.png,a\n") == "a"
    for content, said in (
        (b"image,person\n1.png,a\n2.png,b\n1.png,b\n", r"some.csv: 1.png is in a and in b; remove one"),
        ("image,person\n1.png,Müller\n".encode("latin-1"), r"some.csv: not a CSV in UTF-8 .*; save it as one"),
        (b"", r"some.csv: no column image"),
        (b"image,person\n1.png\n", r"some.csv: no person for train_normal/1.png; add a row"),
    ):
        with pytest.raises(UserError, match=said):
            group(content)


def test_one_patient_on_two_sides():
    with pytest.raises(UserError, match=r"^--group_by=folder:1: 1 group is on two sides, train and test: a; move each to one$"):
        check_apart({"train": ["a", "b"], "validation": ["c"], "test": ["a"]}, "folder:1")


def test_a_table_by_its_first_column_and_without_endings(tmp_path):
    (tmp_path / "meta.csv").write_text("path_stem,view\ntest_normal/a,PA\nb,AP\n")
    group = group_finder("csv:meta.csv:view", tmp_path)
    assert [group(name) for name in ("test_normal/a.png", "test_anomalous/x/b.jpg")] == ["PA", "AP"]
    with pytest.raises(UserError, match=r"^--subgroups=csv:nowhere.csv:view: "):
        group_finder("csv:nowhere.csv:view", tmp_path, "--subgroups")
