import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.data.image_set import ImageSet, hold_out
from fanogan_tf.data.pixels import to_signed


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


def drawn(image_set, batches):
    """The numbers of the images in float batches of `made`."""
    numbers = np.rint((np.concatenate(list(batches))[:, 0].min(axis=(1, 2)) + 1) * 127.5).astype(int)
    assert set(numbers % 10) == {0}
    return (numbers // 10).tolist()


def stream(image_set, count, batch_size, **settings):
    return [b.numpy() for b in image_set.training_batches(batch_size, **settings).take(count)]


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


def test_every_pass_visits_each_image_once():
    for count in (1, 2, 7, 10):
        image_set = made(count)
        numbers = drawn(image_set, stream(image_set, 5 * count, 4, seed=3))
        for first in range(0, 20 * count, count):
            assert sorted(numbers[first : first + count]) == list(range(count)), count


def test_passes_differ_and_seeds_differ():
    image_set = made(20)
    passes = [drawn(image_set, [b]) for b in stream(image_set, 4, 20, seed=0)]
    assert all(a != b for i, a in enumerate(passes) for b in passes[:i])
    assert drawn(image_set, stream(image_set, 1, 20, seed=1)) != passes[0]
    assert drawn(image_set, stream(image_set, 1, 20, seed=0)) == passes[0]


def test_order_is_even():
    image_set = made(4)
    numbers = np.array(drawn(image_set, stream(image_set, 40, 100, seed=0))).reshape(1000, 4)
    counts = [np.bincount(numbers[:, place], minlength=4) for place in range(4)]
    assert np.abs(np.array(counts) - 250).max() < 60  # 4 standard deviations


def test_resumed_stream_goes_on_as_if_never_stopped():
    image_set = made(7)
    for random_flip in (False, True):
        whole = stream(image_set, 1004, 5, seed=2, random_flip=random_flip)
        for start in (1, 5, 1000):
            resumed = stream(image_set, 4, 5, seed=2, start=start, random_flip=random_flip)
            np.testing.assert_array_equal(resumed, whole[start : start + 4], err_msg=f"{random_flip=} {start=}")


def test_start_costs_nothing():
    image_set = made(7)
    assert len(stream(image_set, 2, 5, seed=2, start=10**12)) == 2


def test_batch_may_exceed_the_set():
    image_set = made(3)
    (batch,) = stream(image_set, 1, 8, seed=0)
    assert batch.shape == (8, 3, 4, 1)
    assert np.bincount(drawn(image_set, [batch])).min() >= 2


def test_training_batches_are_float32_of_known_shape():
    element = made().training_batches(6, seed=0).element_spec
    assert element == tf.TensorSpec((6, 3, 4, 1), tf.float32)


def test_flips_mirror_half_of_the_samples_and_change_nothing_else():
    image_set = made(10)
    plain = np.concatenate(stream(image_set, 40, 50, seed=0))
    flipped = np.concatenate(stream(image_set, 40, 50, seed=0, random_flip=True))
    mirrored = (flipped == plain[:, :, ::-1]).all(axis=(1, 2, 3))
    kept = (flipped == plain).all(axis=(1, 2, 3))
    assert (mirrored ^ kept).all()
    assert 0.45 < mirrored.mean() < 0.55
    assert abs(np.corrcoef(mirrored[1:], mirrored[:-1])[0, 1]) < 0.1
    np.testing.assert_array_equal(image_set.images, made(10).images)


def test_works_from_a_read_only_memory_map(tmp_path):
    images = np.random.default_rng(0).integers(0, 65536, (9, 5, 6, 1)).astype(np.uint16)
    np.save(tmp_path / "images.npy", images)
    other = made(9)
    mapped = ImageSet(np.load(tmp_path / "images.npy", mmap_mode="r"), other.labels, other.class_names, other.names)
    in_memory = ImageSet(images, other.labels, other.class_names, other.names)
    settings = {"seed": 4, "random_flip": True}
    np.testing.assert_array_equal(stream(mapped, 3, 6, **settings), stream(in_memory, 3, 6, **settings))
    np.testing.assert_array_equal(np.concatenate([b["image"] for b in mapped.batches(4)]), to_signed(images))
    assert not isinstance(mapped.take([1, 2]).images, np.memmap)


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
