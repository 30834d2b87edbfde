import os

import numpy as np
import pytest

from fanogan_tf.data import folder, image_files
from fanogan_tf.data.feed import Feed
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from tests.helpers.image_folders import noise, save


@pytest.fixture
def root(tmp_path):
    """10 training images, 2 + 3 test images, all 12x16, of several formats."""
    root = tmp_path / "root"
    for n in range(10):
        save(root / "train_normal" / ("a" if n % 2 else "b") / f"{n}.png", noise(n))
    save(root / "test_normal" / "0.bmp", noise(20))
    save(root / "test_normal" / "1.png", noise(21, dtype=np.uint16))
    save(root / "test_anomalous" / "cysts" / "left" / "0.TIF", noise(30, dtype=np.uint16))
    save(root / "test_anomalous" / "tears" / "0.png", noise(31))
    save(root / "test_anomalous" / "2.png", noise(32, (12, 16, 3)))
    return root


def add_masks(root, shape=(12, 16)):
    """One pixel each: at (0, 0), (5, 7), (11, 15)."""
    for name, pixel in (("cysts/left/0.png", (0, 0)), ("tears/0.bmp", (5, 7)), ("2.tiff", (11, 15))):
        mask = np.zeros(shape, np.uint8)
        mask[pixel] = 1
        save(root / "test_masks" / name, mask)


def load(root, tmp_path, **changes):
    return folder.load(Options(dataset="folder", data_path=str(root), **changes), tmp_path / "cache")


def test_splits_names_labels_classes(root, tmp_path):
    splits = load(root, tmp_path)
    assert len(splits.train) == 9 and len(splits.validation) == 1
    names = [*splits.train.names, *splits.validation.names]
    assert sorted(names) == sorted(f"train_normal/{'a' if n % 2 else 'b'}/{n}.png" for n in range(10))
    assert set(splits.train.labels) == {0} and set(splits.train.class_names) == {"normal"}
    assert splits.test.names.tolist() == [
        "test_normal/0.bmp",
        "test_normal/1.png",
        "test_anomalous/2.png",
        "test_anomalous/cysts/left/0.TIF",
        "test_anomalous/tears/0.png",
    ]
    assert splits.test.labels.tolist() == [0, 0, 1, 1, 1]
    assert splits.test.class_names.tolist() == ["normal", "normal", "anomalous", "cysts", "tears"]
    assert splits.test.masks is None


def test_pixels_are_exact(root, tmp_path):
    splits = load(root, tmp_path)
    assert splits.test.images.dtype == np.uint16 and isinstance(splits.train.images, np.memmap)
    np.testing.assert_array_equal(splits.test.images[0, ..., 0], noise(20).astype(np.uint16) * 257)
    np.testing.assert_array_equal(splits.test.images[1, ..., 0], noise(21, dtype=np.uint16))
    np.testing.assert_array_equal(splits.test.images[3, ..., 0], noise(30, dtype=np.uint16))
    for image, name in zip(splits.train.images, splits.train.names, strict=True):
        np.testing.assert_array_equal(image[..., 0] // 257, noise(int(name[-5])))


def test_validation_by_split_seed(root, tmp_path):
    first, again, other = (load(root, tmp_path, validation_fraction=0.5, split_seed=s).validation.names for s in (0, 0, 1))
    assert len(first) == 5 and first.tolist() == again.tolist() and first.tolist() != other.tolist()


def test_own_validation_folder(root, tmp_path):
    save(root / "val_normal" / "v.png", noise(40))
    splits = load(root, tmp_path)
    assert len(splits.train) == 10 and splits.validation.names.tolist() == ["val_normal/v.png"]


def test_resized(root, tmp_path):
    save(root / "test_normal" / "odd.jpg", noise(50, (31, 17, 3)))
    assert load(root, tmp_path, image_size="8x10").test.images.shape == (6, 8, 10, 1)


def test_several_sizes_need_image_size(root, tmp_path):
    save(root / "test_normal" / "odd.png", noise(50, (31, 17)))
    with pytest.raises(UserError, match=r"12x16 in train_normal/.*31x17 in test_normal/odd.png; give --image_size"):
        load(root, tmp_path)


def test_masks(root, tmp_path):
    add_masks(root)
    splits = load(root, tmp_path)
    assert splits.train.masks is None and splits.validation.masks is None
    found = [np.argwhere(mask[..., 0]).tolist() for mask in splits.test.masks]
    assert found == [[], [], [[11, 15]], [[0, 0]], [[5, 7]]]
    assert set(np.unique(splits.test.masks)) == {0, 1}


def test_masks_are_resized_with_the_images(root, tmp_path):
    add_masks(root)
    save(root / "test_masks" / "2.tiff", np.repeat(np.array([[9, 0]], np.uint8), 8, 1).repeat(12, 0))
    masks = load(root, tmp_path, image_size="6x4").test.masks
    assert masks.shape == (5, 6, 4, 1)
    np.testing.assert_array_equal(masks[2, ..., 0], np.tile([1, 1, 0, 0], (6, 1)))


def test_missing_mask(root, tmp_path):
    add_masks(root)
    (root / "test_masks" / "tears" / "0.bmp").unlink()
    with pytest.raises(UserError, match=r"test_anomalous/tears/0.png: no mask"):
        load(root, tmp_path)


def test_mask_of_another_size(root, tmp_path):
    add_masks(root)
    save(root / "test_masks" / "2.tiff", np.zeros((12, 15), np.uint8))
    with pytest.raises(UserError, match=r"test_masks/2.tiff: 12x15 pixels, but its image has 12x16"):
        load(root, tmp_path, skip_unreadable=True)


def test_two_masks_for_one_image(root, tmp_path):
    add_masks(root)
    save(root / "test_masks" / "2.png", np.zeros((12, 16), np.uint8))
    with pytest.raises(UserError, match=r"test_masks/2.tiff: a second mask .*2.png"):
        load(root, tmp_path)


def test_patches(root, tmp_path):
    add_masks(root)
    splits = load(root, tmp_path, patches=3, image_size="5x8")
    assert splits.train.images.shape == (27, 5, 8, 1) and len(splits.validation) == 3
    for image, name in zip(splits.train.images, splits.train.names, strict=True):
        path, corner = name.split("@")
        top, left = map(int, corner.split(","))
        np.testing.assert_array_equal(image[..., 0] // 257, noise(int(path[-5]))[top : top + 5, left : left + 8])

    assert len(splits.test) == 5 * 6
    corners = ["0,0", "0,8", "5,0", "5,8", "7,0", "7,8"]
    assert splits.test.names[12:18].tolist() == [f"test_anomalous/2.png@{c}" for c in corners]
    assert splits.test.labels[12:].tolist() == [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert splits.test.class_names[12:14].tolist() == ["normal", "normal"] and splits.test.class_names[18] == "cysts"
    assert splits.test.masks[17, 4, 7, 0] == 1 and splits.test.masks.sum() == 3


def test_patches_without_masks_have_their_images_label(root, tmp_path):
    splits = load(root, tmp_path, patches=1, image_size="12x8")
    assert splits.test.labels.tolist() == [0] * 4 + [1] * 6
    assert splits.test.class_names[4:].tolist() == ["anomalous"] * 2 + ["cysts"] * 2 + ["tears"] * 2


def test_patches_need_a_size_that_fits(root, tmp_path):
    with pytest.raises(UserError, match=r"--patches=2: .*--image_size"):
        load(root, tmp_path, patches=2)
    save(root / "test_normal" / "small.png", noise(60, (4, 16)))
    with pytest.raises(UserError, match=r"test_normal/small.png: 4x16 pixels, less than a patch of 5x8"):
        load(root, tmp_path, patches=2, image_size="5x8", skip_unreadable=True)


@pytest.mark.parametrize("subfolder", ["train_normal", "test_normal", "test_anomalous"])
def test_missing_or_empty_subfolder(root, tmp_path, subfolder):
    os.rename(root / subfolder, root / "away")
    with pytest.raises(UserError, match=f"root/{subfolder}: no such folder"):
        load(root, tmp_path)
    (root / subfolder).mkdir()
    with pytest.raises(UserError, match=rf"root/{subfolder}: no images in it; looked for \.png"):
        load(root, tmp_path)


def test_unusable_roots(root, tmp_path):
    with pytest.raises(UserError, match=r"nowhere: no such folder; give --data_path"):
        load(tmp_path / "nowhere", tmp_path)
    with pytest.raises(UserError, match=r"--data_path"):
        folder.load(Options(dataset="folder"), tmp_path)
    (root / "val_normal").mkdir()
    with pytest.raises(UserError, match=r"val_normal: no images"):
        load(root, tmp_path)


def test_single_training_image(root, tmp_path):
    for path in sorted((root / "train_normal").rglob("*.png"))[1:]:
        path.unlink()
    with pytest.raises(UserError, match="train_normal: one image cannot be parted"):
        load(root, tmp_path)


def test_unreadable_images(root, tmp_path, capsys):
    (root / "train_normal" / "a" / "1.png").write_bytes(b"")
    broken = root / "test_anomalous" / "tears" / "0.png"
    broken.write_bytes(broken.read_bytes()[:80])
    with pytest.raises(UserError, match=r"1.png: unreadable .*--skip_unreadable"):
        load(root, tmp_path)

    for _ in range(2):  # Prepared, then opened.
        capsys.readouterr()
        splits = load(root, tmp_path, skip_unreadable=True)
        assert len(splits.train) + len(splits.validation) == 9 and len(splits.test) == 4
        error = capsys.readouterr().err
        assert "Skipped 2 unreadable images: train_normal/a/1.png, test_anomalous/tears/0.png\n" in error

    with pytest.raises(UserError, match=r"1.png: unreadable .*--skip_unreadable"):
        load(root, tmp_path)


def test_prepared_once(root, tmp_path, monkeypatch, capsys):
    first = load(root, tmp_path)
    assert "Preparing images" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(image_files, "read_image", lambda path: pytest.fail("decoded again"))
        again = load(root, tmp_path, skip_unreadable=True)
    np.testing.assert_array_equal(first.train.images, again.train.images)
    assert "Preparing" not in capsys.readouterr().err


@pytest.mark.parametrize("change", ["pixels", "new file", "size", "mask"])
def test_prepared_again_after_a_change(root, tmp_path, change):
    add_masks(root)
    load(root, tmp_path)
    settings = {}
    if change == "pixels":
        path = save(root / "test_normal" / "0.bmp", noise(99))
        os.utime(path, ns=(1, 1))
    elif change == "new file":
        save(root / "train_normal" / "new.png", noise(99))
    elif change == "mask":
        path = save(root / "test_masks" / "2.tiff", np.ones((12, 16), np.uint8))
        os.utime(path, ns=(1, 1))
    else:
        settings = {"image_size": "6"}
    splits = load(root, tmp_path, **settings)
    if change == "pixels":
        np.testing.assert_array_equal(splits.test.images[0, ..., 0] // 257, noise(99))
    elif change == "new file":
        assert len(splits.train) + len(splits.validation) == 11
    elif change == "mask":
        assert splits.test.masks[2].all()
    else:
        assert splits.train.image_shape == (6, 6, 1)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_moved_root_is_not_prepared_again(root, tmp_path, monkeypatch):
    load(root, tmp_path)
    os.rename(root, tmp_path / "elsewhere")
    monkeypatch.setattr(image_files, "read_image", lambda path: pytest.fail("decoded again"))
    assert len(load(tmp_path / "elsewhere", tmp_path).train) == 9


def add_regions(root):
    for folder_of, split in (("train_normal", "train"), ("test_normal", "test"), ("test_anomalous", "test")):
        for path in sorted((root / folder_of).rglob("*.*")):
            region = np.zeros((12, 16), np.uint8)
            region[2:10, 3:] = 7
            inside = path.relative_to(root / folder_of)
            regions = root / "test_regions" / folder_of if split == "test" else root / "train_regions"
            save(regions / inside.with_suffix(".png"), region)


def test_regions_go_with_their_images(root, tmp_path):
    add_regions(root)
    splits = load(root, tmp_path, validation_fraction=0.3)
    for part in (splits.train, splits.validation, splits.test):
        assert part.regions.shape == part.images.shape
        expected = np.zeros((12, 16, 1), bool)
        expected[2:10, 3:] = True
        assert (np.asarray(part.regions, bool) == expected).all()
    batch = next(splits.test.batches(2))
    assert batch["region"].dtype == np.float32 and set(np.unique(batch["region"])) == {0.0, 1.0}
    assert load(root, tmp_path, patches=1, image_size="8").train.regions.shape[1:] == (8, 8, 1)


def test_regions_are_flipped_with_their_images(root, tmp_path):
    add_regions(root)
    train = load(root, tmp_path).train
    both = next(iter(Feed(train, 18, 3, random_flip=True, inputs=("image", "region"))()))
    alone = next(iter(Feed(train, 18, 3, random_flip=True)()))
    np.testing.assert_array_equal(both["image"], alone)
    flipped = both["region"].numpy()[:, 5, -1, 0] == 0
    assert 0 < flipped.sum() < 18
    originals = {image.tobytes() for image in train.float_images(np.arange(len(train)))}
    for image, was_flipped in zip(alone.numpy(), flipped, strict=True):
        assert (image[:, ::-1] if was_flipped else image).tobytes() in originals
    assert train.take([0, 1]).regions.shape == (2, 12, 16, 1)


def test_bad_regions_are_named(root, tmp_path):
    add_regions(root)
    region = root / "train_regions" / "b" / "4.png"
    for change, said in (
        (lambda: region.unlink(), r"train_normal/b/4.png: no region; add .*train_regions/b/4.png, or remove"),
        (lambda: save(region, np.ones((5, 5), np.uint8)), r"train_regions/b/4.png: 5x5 pixels, but its image has 12x16"),
        (lambda: save(region, np.zeros((12, 16), np.uint8)), r"train_regions/b/4.png: an empty region; mark"),
    ):
        change()
        with pytest.raises(UserError, match=said):
            load(root, tmp_path)
    save(region, np.ones((12, 16), np.uint8))
    for name in ("test_normal/1.png", "test_anomalous/1.png"):
        save(root / name, noise(1))
        (root / "test_regions" / name).unlink(missing_ok=True)
    save(root / "test_regions" / "1.png", np.ones((12, 16), np.uint8))
    remedy = r"put one each into test_regions/test_normal and test_regions/test_anomalous"
    with pytest.raises(UserError, match=rf"test_regions/1.png: a region for test_normal/1.png and .*/1.png; {remedy}"):
        load(root, tmp_path)


def test_two_files_of_one_stem_do_not_share_a_region(root, tmp_path):
    add_regions(root)
    second = save(root / "train_regions" / "b" / "4.tif", np.ones((12, 16), np.uint8))
    with pytest.raises(UserError, match=r"train_regions/b/4.tif: a second region for the same image, beside 4.png; remove one"):
        load(root, tmp_path)
    second.unlink()
    save(root / "train_normal" / "b" / "4.bmp", noise(4))
    said = r"train_regions/b/4.png: a region for train_normal/b/4.bmp and for train_normal/b/4.png; rename one of the images"
    with pytest.raises(UserError, match=said):
        load(root, tmp_path)
