"""The wheel as a user gets it: installed into an environment of its own, started from another folder."""

import os
import subprocess
import sys
import sysconfig
import zipfile

import pytest

from tests.helpers.commands import ROOT

pytestmark = pytest.mark.slow
TINY = ("--dim=2", "--latent_dim=2", "--n_critic=1", "--iterations=2", "--encoder_iterations=2")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # Without what earlier builds left beside the package.
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in tracked:
        if name and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
        source,
    ]
    subprocess.run(command, check=True, timeout=200)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def fanogan(wheel, tmp_path_factory):
    """The command of a fresh environment, with the libraries of this one: nothing is downloaded."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=100)
    packages = environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    command = [sys.executable, "-m", "pip", "--python", environment / "bin" / "python"]
    subprocess.run([*command, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True, timeout=100)
    libraries = [path for path in sys.path if path.endswith("site-packages")] or [sysconfig.get_path("purelib")]
    (packages / "libraries.pth").write_text("\n".join(libraries) + "\n")
    return environment / "bin" / "fanogan"


def started(fanogan, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([fanogan, *arguments], cwd="/", capture_output=True, text=True, timeout=280, env=environment)


def test_what_is_in_it(wheel):
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
        (metadata,) = (content.read(name).decode() for name in names if name.endswith("METADATA"))
    assert {"fanogan_tf/py.typed", "fanogan_tf/flagfiles/digits.flags", "fanogan_tf/flagfiles/oct.flags"} <= names
    assert not [name for name in names if name.startswith(("tests/", "scripts/", "benchmarks/"))]
    assert 'Requires-Dist: tensorflow-cpu<2.22,>=2.21; extra == "cpu"' in metadata


def test_it_runs_from_anywhere(fanogan, tmp_path):
    finished = started(fanogan, "run", "--flagfile=digits", *TINY, f"--run_dir={tmp_path / 'r'}")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1].startswith("AUROC 0.")
    assert (tmp_path / "r" / "report" / "index.html").is_file()


def test_its_flagfiles_are_named(fanogan):
    finished = started(fanogan, "train", "--flagfile=nonsense")
    assert finished.returncode == 1
    assert finished.stderr.startswith("error: --flagfile=nonsense: no such file") and "digits, fashion_mnist" in finished.stderr
