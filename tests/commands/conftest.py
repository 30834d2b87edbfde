import pytest

from tests.helpers.commands import TINY, succeed


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run that went all the way, and what it printed. Shared: tests may add files of their own, nothing else."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    return folder, succeed("run", *TINY, f"--run_dir={folder}")
