import collections

import numpy as np
import pytest

from fanogan_tf.data import chest
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from tests.helpers import chest_films as made


def load(root, cache, **settings):
    return chest.load(Options(dataset="chest_xray", data_path=str(root), image_size="20", **settings), cache)


def kinds(images):
    return dict(collections.Counter(images.class_names.tolist()))


@pytest.mark.parametrize("layout", ["kermany", "montgomery", "shenzhen", "nih", "rsna"])
def test_no_patient_on_two_sides(layout, tmp_path):
    splits = load(getattr(made, layout)(tmp_path / "films"), tmp_path / "cache", validation_fraction=0.3)
    groups = [set(images.groups) for images in (splits.train, splits.validation, splits.test)]
    assert all(groups) and not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    assert not splits.train.labels.any() and not splits.validation.labels.any() and set(splits.test.labels) == {0, 1}


def test_kermany(tmp_path):
    splits = load(made.kermany(tmp_path / "films"), tmp_path / "cache")
    assert kinds(splits.test) == {"normal": 3, "bacteria": 2, "virus": 2}
    assert len(splits.train) + len(splits.validation) == 13
    assert splits.test.names[0] == "test/NORMAL/NORMAL2-IM-0200-0001.jpeg"
    assert "films/IM-0100" in {*splits.train.groups, *splits.validation.groups}


def test_montgomery_has_both_lungs(tmp_path):
    splits = load(made.montgomery(tmp_path / "films"), tmp_path / "cache")
    # A tenth of 24 normal films, and as many abnormal ones.
    assert kinds(splits.test) == {"normal": 2, "tuberculosis": 2}
    region = np.asarray(splits.train.regions[0])[..., 0]
    assert region[5, 3] and region[5, 12] and not region[5, 10] and not region[0].any()


def test_montgomery_with_left_and_right_swapped(tmp_path):
    root = made.montgomery(tmp_path / "films")
    masks = [root / "ManualMask" / f"{side}Mask" / "MCUCXR_0003_0.png" for side in ("left", "right")]
    for mask, left in zip(masks, (False, True), strict=True):
        made.lungs(mask, left)
    said = r"MCUCXR_0003_0.png: its left and right masks are swapped, beside 25 films whose are not; swap the two files"
    with pytest.raises(UserError, match=said):
        load(root, tmp_path / "cache")
    # What was prepared before stays; nothing half is kept.
    assert not [*(tmp_path / "cache").glob("prepared-*")]


def test_shenzhen_leaves_out_films_without_lungs(tmp_path, capsys):
    splits = load(made.shenzhen(tmp_path / "films"), tmp_path / "cache")
    assert "left out 2 films: films: no mask of the lungs" in capsys.readouterr().err
    assert len(splits.train) + len(splits.validation) + int((splits.test.labels == 0).sum()) == 19


def test_several_sets_in_one_folder(tmp_path):
    made.montgomery(tmp_path / "films" / "MontgomerySet")
    made.shenzhen(tmp_path / "films" / "ChinaSet_AllFiles")
    splits = load(tmp_path / "films", tmp_path / "cache")
    sets = {name.split("/")[0] for name in splits.train.names}
    assert sets == {"MontgomerySet", "ChinaSet_AllFiles"}


def test_nih_by_its_lists(tmp_path, capsys):
    splits = load(made.nih(tmp_path / "films"), tmp_path / "cache")
    # Patient 3 of the training list is abnormal. Patient 10 is the only normal one to test on.
    assert kinds(splits.test) == {"normal": 2, "Mass": 2, "several findings": 2, "Effusion": 2}
    assert len(splits.train) + len(splits.validation) == 18
    said = capsys.readouterr().err
    assert "left out 1 films: a lateral view" in said
    assert "left out 1 films: in Data_Entry_2017_v2020.csv, but not in the folder: 00000021_000.png" in said
    assert splits.test.masks is None, "boxes of one film do not tell what is normal in the others"


def test_nih_without_lists(tmp_path):
    splits = load(made.nih(tmp_path / "films", lists=False), tmp_path / "cache")
    # 10 normal patients of two films: one to test on, and two abnormal films.
    assert sum(splits.test.labels == 0) == 2 and sum(splits.test.labels == 1) == 2


def test_boxes_of_rsna_become_masks(tmp_path, capsys):
    splits = load(made.rsna(tmp_path / "films"), tmp_path / "cache")
    assert kinds(splits.test) == {"normal": 3, "opacity": 3}
    for name, label, mask in zip(splits.test.names, splits.test.labels, np.asarray(splits.test.masks)[..., 0], strict=True):
        expected = np.zeros((20, 20))
        if label:
            expected[4:10, 3:8] = 1
            if int(name[-6:-4]) % 2:
                expected[4:6, 12:15] = 1
        np.testing.assert_array_equal(mask, expected)
    assert "left out 2 films: neither normal nor marked" in capsys.readouterr().err


def test_same_seed_same_split(tmp_path):
    root = made.montgomery(tmp_path / "films")
    names = [load(root, tmp_path / "cache", split_seed=seed).test.names.tolist() for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]


def spoilt(tmp_path, said, spoil):
    root = made.montgomery(tmp_path / said.split()[0])
    spoil(root / "ManualMask" / "leftMask" / "MCUCXR_0003_0.png")
    with pytest.raises(UserError, match=said):
        load(root, tmp_path / "cache")


def test_bad_masks(tmp_path):
    spoilt(tmp_path, "no such mask", lambda mask: mask.unlink())
    spoilt(tmp_path, "MCUCXR_0003_0.png", lambda mask: mask.write_bytes(b""))
    spoilt(tmp_path, "an empty region", lambda mask: made.save(mask, np.zeros((20, 20), np.uint8)))
    spoilt(tmp_path, "9x20 pixels, but its image has 20x20", lambda mask: made.save(mask, np.ones((9, 20), np.uint8)))


def test_nothing_abnormal(tmp_path):
    root = made.montgomery(tmp_path / "films", abnormal=0)
    with pytest.raises(UserError, match="no abnormal films to test on"):
        load(root, tmp_path / "cache")


def test_unknown_layouts_and_lists(tmp_path):
    (tmp_path / "films").mkdir()
    with pytest.raises(UserError, match=r"no set of chest films that is known by its layout.*--dataset=folder"):
        load(tmp_path / "films", tmp_path / "cache")
    with pytest.raises(UserError, match="give the folder"):
        chest.load(Options(dataset="chest_xray"), tmp_path / "cache")
    root = made.nih(tmp_path / "nih")
    made.table(root / "Data_Entry_2017_v2020.csv", ["Image Index", "Finding Labels"], [])
    with pytest.raises(UserError, match="no column Patient ID"):
        load(root, tmp_path / "cache")
