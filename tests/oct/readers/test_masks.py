import re

import numpy as np
import pytest

from fanogan_tf.errors import UserError
from fanogan_tf.oct.readers.find import read_lesions
from fanogan_tf.oct.volume import FLUID, Volume
from tests.helpers.oct_files import sample

VOLUME = Volume(name="eyes/7.vol", data=sample((3, 12, 8)), spacing=(1.0, 1.0, 1.0))
CODES = (np.arange(3 * 12 * 8) % 4).reshape(3, 12, 8).astype(np.uint8)


def saved(path, mask):
    np.save(path, mask)
    return path


def test_npy_codes(tmp_path):
    volume = read_lesions(saved(tmp_path / "m.npy", CODES), VOLUME)
    assert volume.kinds == FLUID and volume.lesions.dtype == np.uint8
    np.testing.assert_array_equal(volume.lesions, CODES)
    assert volume.data is VOLUME.data and volume.name == VOLUME.name and VOLUME.lesions is None


@pytest.mark.parametrize("extension", ["nii", "nii.gz"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_nifti_is_columns_rows_scans(tmp_path, extension, kind):
    import nibabel

    mask = np.zeros((8, 12, 3), kind)  # (W, H, B)
    mask[7, 2, 1] = 3
    nibabel.save(nibabel.Nifti1Image(mask, np.diag([-1.0, 2.0, 3.0, 1.0])), tmp_path / f"m.{extension}")
    lesions = read_lesions(tmp_path / f"m.{extension}", VOLUME).lesions
    assert lesions.sum() == lesions[1, 2, 7] == 3


@pytest.mark.parametrize("mask", [CODES > 0, (CODES > 0).astype(np.uint8) * 255, (CODES > 0).astype(np.int64)])
def test_masks_without_kinds(tmp_path, mask):
    volume = read_lesions(saved(tmp_path / "m.npy", mask), VOLUME)
    np.testing.assert_array_equal(volume.lesions, CODES > 0)
    assert volume.kinds[0] == "intraretinal_fluid"


def test_an_empty_mask_says_that_there_is_no_lesion(tmp_path):
    assert read_lesions(saved(tmp_path / "m.npy", np.zeros_like(CODES)), VOLUME).lesions.any() == False  # noqa: E712


def test_another_shape_names_both(tmp_path):
    path = saved(tmp_path / "m.npy", CODES.transpose(2, 1, 0))
    with pytest.raises(UserError, match=r"m.npy: a mask of \(8, 12, 3\).*eyes/7.vol has \(3, 12, 8\)"):
        read_lesions(path, VOLUME)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.full(CODES.shape, 4), "value 4"),
        (np.full(CODES.shape, 0.5), "value 0.5"),
        (np.full(CODES.shape, np.nan), "value nan"),
        (np.where(CODES > 1, 255, CODES), "value 255"),
        (np.full(CODES.shape, "a"), "type <U1"),
        (np.full(CODES.shape, None), "pickle"),
    ],
)
def test_other_values(tmp_path, mask, words):
    with pytest.raises(UserError, match=f"m.npy: .*{words}"):
        read_lesions(saved(tmp_path / "m.npy", mask), VOLUME)


@pytest.mark.parametrize("name", ["m.npy", "m.nii", "m.nii.gz", "m.png"])
def test_unreadable(tmp_path, name):
    for content in (b"words", b""):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=re.escape(name)):
            read_lesions(tmp_path / name, VOLUME)
    with pytest.raises(UserError, match=r"missing\.npy"):
        read_lesions(tmp_path / "missing.npy", VOLUME)
