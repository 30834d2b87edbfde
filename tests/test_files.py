import pytest

from fanogan_tf.files import whole_file, whole_folder


def contents(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_whole_file(tmp_path):
    path = tmp_path / "new" / "folder" / "a.png"
    with whole_file(path) as temporary:
        assert temporary.parent == path.parent and temporary.suffix == ".png" and temporary != path
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")
    assert contents(tmp_path) == {"new/folder/a.png": "whole"}


@pytest.mark.parametrize("old", [{}, {"a.txt": "old"}])
def test_an_error_leaves_the_old_file(tmp_path, old):
    for name, text in old.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert contents(tmp_path) == old


def test_file_is_replaced(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with whole_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert contents(tmp_path) == {"a.txt": "new"}


def test_nothing_written_is_an_error(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a.txt"):
        pass
    assert contents(tmp_path) == {"a.txt": "old"}


def test_whole_folder(tmp_path):
    path = tmp_path / "new" / "folder"
    with whole_folder(path) as temporary:
        (temporary / "a").write_text("1")
        assert not path.exists() and temporary.parent == path.parent
    assert contents(tmp_path) == {"new/folder/a": "1"}
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_folder_is_replaced(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old").write_text("old")
    with whole_folder(tmp_path / "f") as temporary:
        (temporary / "new").write_text("new")
        assert contents(tmp_path / "f") == {"old": "old"}
    assert contents(tmp_path) == {"f/new": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_an_error_leaves_the_old_folder(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "old").write_text("old")
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "f") as temporary:
        (temporary / "new").write_text("half")
        raise RuntimeError
    assert contents(tmp_path) == {"f/old": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
