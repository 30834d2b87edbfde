import numpy as np
import pytest
from PIL import Image

from fanogan_tf.data.image_stream import ImageStream
from fanogan_tf.errors import UserError


@pytest.fixture
def folder(tmp_path):
    """Twelve 6x8 images f/00.png ..., every pixel of one 5 times its number, and f/sub/12.tif of 16 bits and another size."""
    (tmp_path / "f" / "sub").mkdir(parents=True)
    for number in range(12):
        Image.fromarray(np.full((6, 8), 5 * number, np.uint8)).save(tmp_path / "f" / f"{number:02d}.png")
    Image.fromarray(np.full((9, 5), 60 * 257, np.uint16)).save(tmp_path / "f" / "sub" / "12.tif")
    return tmp_path / "f"


def whole(stream, batch_size):
    batches = list(stream.batches(batch_size))
    return [len(b["image"]) for b in batches], {key: np.concatenate([b[key] for b in batches]) for key in batches[0]}


def test_folder_in_order(folder):
    stream = ImageStream([folder], (6, 8, 1), skip_unreadable=False)
    assert len(stream) == 13
    sizes, got = whole(stream, 5)
    assert sizes == [5, 5, 3]
    assert set(got) == {"image", "label", "class_name", "name"}
    assert got["image"].shape == (13, 6, 8, 1) and got["image"].dtype == np.float32
    expected = 5 * np.arange(13) / 127.5 - 1
    np.testing.assert_allclose(got["image"], np.broadcast_to(expected[:, None, None, None], (13, 6, 8, 1)), atol=1e-6)
    assert got["label"].tolist() == [-1] * 13 and got["label"].dtype == np.int32
    assert got["class_name"].tolist() == [""] * 13
    assert got["name"].tolist() == [f"{folder}/{n:02d}.png" for n in range(12)] + [f"{folder}/sub/12.tif"]


def test_names_are_as_given(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    _, got = whole(ImageStream(["f/07.png", "f/sub"], (6, 8, 1), False), 5)
    assert got["name"].tolist() == ["f/07.png", "f/sub/12.tif"]


def test_named_twice_is_read_once(folder):
    stream = ImageStream([folder / "05.png", folder], (6, 8, 1), False)
    _, got = whole(stream, 100)
    assert len(stream) == 13
    assert got["name"][:2].tolist() == [f"{folder}/05.png", f"{folder}/00.png"]


def test_goes_round_again(folder):
    stream = ImageStream([folder], (4, 4, 1), False)
    np.testing.assert_array_equal(whole(stream, 5)[1]["image"], whole(stream, 3)[1]["image"])


def test_unreadable_image_reaches_the_consumer(folder):
    (folder / "07.png").write_bytes(b"")
    batches = ImageStream([folder], (6, 8, 1), False).batches(5)
    assert len(next(batches)["image"]) == 5
    with pytest.raises(UserError, match=r"07.png: unreadable.*--skip_unreadable"):
        next(batches)


def test_skipping_keeps_batches_full(folder):
    for name in ("00.png", "07.png"):
        (folder / name).write_bytes((folder / name).read_bytes()[:40])
    stream = ImageStream([folder], (6, 8, 1), True)
    sizes, got = whole(stream, 5)
    assert sizes == [5, 5, 1]
    assert stream.skipped == [f"{folder}/00.png", f"{folder}/07.png"]
    assert [name[-6:] for name in got["name"]] == [f"{n:02d}.png" for n in range(12) if n not in (0, 7)] + ["12.tif"]
    whole(stream, 5)
    assert len(stream.skipped) == 2


def test_bad_paths(folder):
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").touch()
    with pytest.raises(UserError, match=r"none.png: no such file or folder"):
        ImageStream([folder, folder / "none.png"], (6, 8, 1), True)
    with pytest.raises(UserError, match=r"empty: no images.*\.png"):
        ImageStream([folder / "empty"], (6, 8, 1), True)


def test_memory_is_bounded(folder, monkeypatch):
    """Nothing is decoded much before it is asked for."""
    from fanogan_tf.data import image_stream

    read = []
    monkeypatch.setattr(image_stream, "read_image", lambda path: read.append(path) or np.zeros((2, 2), np.uint16))
    monkeypatch.setattr(image_stream, "find_images", lambda folder: [folder / f"{n}.png" for n in range(10_000)])
    batches = ImageStream([folder], (2, 2, 1), False).batches(10)
    next(batches)
    assert 10 <= len(read) < 100
    batches.close()
