import numpy as np
import pytest

from fanogan_tf.data.image_set import ImageSet, hold_out


def made(count=10, shape=(3, 4), dtype=np.uint8, masks=False):
    """Images whose every pixel tells its number and column."""
    images = np.zeros((count, *shape, 1), dtype)
    images[...] = 10 * np.arange(count).reshape(-1, 1, 1, 1) + np.arange(shape[1]).reshape(1, 1, -1, 1)
    return ImageSet(
        images=images,
        labels=np.arange(count) % 2,
        class_names=np.array([f"class{i % 2}" for i in range(count)]),
        names=np.array([f"name{i}" for i in range(count)]),
        masks=(images > 50) if masks else None,
    )


def test_arrays_must_fit_together():
    good = made()
    with pytest.raises(ValueError, match="uint8"):
        ImageSet(good.images.astype(np.float32), good.labels, good.class_names, good.names)
    with pytest.raises(ValueError, match="equally many"):
        ImageSet(good.images, good.labels[:-1], good.class_names, good.names)
    with pytest.raises(ValueError, match="unique"):
        ImageSet(good.images, good.labels, good.class_names, np.array(["same"] * 10))
    with pytest.raises(ValueError, match="masks"):
        ImageSet(good.images, good.labels, good.class_names, good.names, good.images[:, :2] > 0)


def test_length_and_shape():
    assert len(made(7)) == 7
    assert made(7).image_shape == (3, 4, 1)


def test_take_keeps_everything_together_and_in_the_order_asked():
    image_set = made(masks=True)
    part = image_set.take([7, 2])
    assert part.names.tolist() == ["name7", "name2"]
    assert part.labels.tolist() == [1, 0]
    assert part.class_names.tolist() == ["class1", "class0"]
    np.testing.assert_array_equal(part.images, image_set.images[[7, 2]])
    np.testing.assert_array_equal(part.masks, image_set.masks[[7, 2]])


def test_float_images():
    image_set = made()
    images = image_set.float_images([3, 0])
    assert images.dtype == np.float32 and images.shape == (2, 3, 4, 1)
    assert images[0, 0, 2, 0] == pytest.approx(32 / 127.5 - 1)
    assert images[1, 0, 0, 0] == -1


def test_batches_give_everything_once_in_order():
    image_set = made(10, masks=True)
    batches = list(image_set.batches(4))
    assert [len(b["image"]) for b in batches] == [4, 4, 2]
    whole = {key: np.concatenate([b[key] for b in batches]) for key in batches[0]}
    assert set(whole) == {"image", "label", "class_name", "name", "mask"}
    assert whole["image"].dtype == np.float32 and whole["label"].dtype == np.int32 and whole["mask"].dtype == np.float32
    np.testing.assert_array_equal(whole["image"], image_set.float_images(range(10)))
    assert whole["label"].tolist() == image_set.labels.tolist()
    assert whole["name"].tolist() == image_set.names.tolist()
    assert whole["class_name"].tolist() == image_set.class_names.tolist()
    np.testing.assert_array_equal(whole["mask"], image_set.masks)


def test_batches_without_masks_have_none():
    assert "mask" not in next(made().batches(4))


def test_held_out_and_kept_are_everything_once():
    kept, held = hold_out(100, 0.1, 0)
    assert len(held) == 10
    assert sorted([*kept, *held]) == list(range(100))
    assert (np.diff(kept) > 0).all() and (np.diff(held) > 0).all()


def test_the_same_seed_holds_out_the_same():
    assert hold_out(100, 0.1, 5)[1].tolist() == hold_out(100, 0.1, 5)[1].tolist()
    assert hold_out(100, 0.1, 5)[1].tolist() != hold_out(100, 0.1, 6)[1].tolist()


def test_neither_held_out_nor_kept_is_empty():
    assert [len(part) for part in hold_out(2, 0.01, 0)] == [1, 1]
    assert [len(part) for part in hold_out(2, 0.99, 0)] == [1, 1]
    with pytest.raises(ValueError, match="parted"):
        hold_out(1, 0.5, 0)
