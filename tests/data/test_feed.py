import numpy as np
import pytest
import tensorflow as tf

from fanogan_tf.data.feed import Feed, fits_on_gpu
from fanogan_tf.data.image_set import ImageSet
from fanogan_tf.data.pixels import to_signed
from tests.data.test_image_set import made


def drawn(image_set, batches):
    """The numbers of the images in float batches of `made`."""
    numbers = np.rint((np.concatenate(list(batches))[:, 0].min(axis=(1, 2)) + 1) * 127.5).astype(int)
    assert set(numbers % 10) == {0}
    return (numbers // 10).tolist()


def stream(image_set, count, batch_size, start=0, **settings):
    return [b.numpy() for b in Feed(image_set, batch_size, **settings)(start).take(count)]


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


def test_batches_are_float32_of_known_shape():
    element = Feed(made(), 6, seed=0)().element_spec
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


@pytest.mark.parametrize("inputs", [("image",), ("image", "region")])
@pytest.mark.parametrize("random_flip", [False, True])
def test_images_on_the_device_make_the_same_batches(inputs, random_flip):
    pixels = np.random.default_rng(0).integers(0, 65536, (300, 3, 4, 1)).astype(np.uint16)
    labels, names = np.zeros(300, int), np.arange(300).astype(str)
    images = ImageSet(pixels, labels, names, names, regions=pixels > 30000)
    feeds = [Feed(images, 7, 3, random_flip, inputs, lambda x: x / 2.0, on_device=on_device) for on_device in (False, True)]
    # Of the second feed, numbers alone travel.
    assert [spec.dtype for spec in feeds[1](0).element_spec] == [tf.int64, tf.bool]
    for one, other in zip(*(feed(40).take(5) for feed in feeds), strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, feeds[0].look_up(one), feeds[1].look_up(other))


def test_what_goes_onto_a_gpu(monkeypatch):
    images = made(4)
    assert not fits_on_gpu(images)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    assert fits_on_gpu(images)
    monkeypatch.setattr("fanogan_tf.data.feed.DEVICE_BYTES", 4 * 4 * 12)
    assert fits_on_gpu(images) and not fits_on_gpu(images, ("image", "region"))


def test_regions_are_wanted_and_there_are_none():
    with pytest.raises(ValueError, match="no regions"):
        Feed(made(), 2, 0, inputs=("image", "region"))
