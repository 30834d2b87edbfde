import pytest

from tests.helpers.commands import TINY, fail, succeed

pytestmark = pytest.mark.slow


def test_from_nothing_to_tables_and_tables_alone(tmp_path):
    arguments = (*TINY, "--methods=pca,ocsvm", "--normal_class=0", f"--run_dir={tmp_path}")
    said = succeed("reproduce", *arguments, "--seeds=2")
    assert "[1/4] normal 0, seed 0, PCA" in said
    assert said.splitlines()[-1] == f"4 of 4 runs; report: {tmp_path / 'report' / 'report.md'}"
    said = succeed("reproduce", *arguments, "--seeds=3", "--train=false")
    assert said.splitlines()[-1].startswith("4 of 6 runs; report: ")


def test_bad_input(tmp_path):
    run_dir = f"--run_dir={tmp_path / 'r'}"
    assert "--seeds=0" in fail("reproduce", *TINY, run_dir, "--seeds=0")
    assert "--methods=magic: no such method; choose from fanogan" in fail("reproduce", *TINY, run_dir, "--methods=magic")
    assert "--train=false" in fail("reproduce", *TINY, run_dir, "--train=false")
    assert "--normal_class=12" in fail("reproduce", *TINY, run_dir, "--normal_class=12", "--methods=pca")
    assert "--strategy=multi_worker" in fail("reproduce", *TINY, run_dir, "--strategy=multi_worker")
    assert "--run_dir" in fail("reproduce", *TINY)
