import pytest

from tests.helpers.commands import fail, succeed

pytestmark = pytest.mark.slow


def test_sheet_and_key(trained, tmp_path):
    succeed("visual_turing", f"--run_dir={trained[0]}", f"--output={tmp_path}", "--images_per_kind=5")
    assert (tmp_path / "sheet.png").is_file() and (tmp_path / "key.csv").read_text().count("generated") == 5


def test_more_than_there_are(trained, tmp_path):
    line = fail("visual_turing", f"--run_dir={trained[0]}", f"--output={tmp_path}", "--images_per_kind=999")
    assert line.startswith("--images_per_kind=999: only ") and not list(tmp_path.iterdir())
