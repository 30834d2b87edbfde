"""What the command says without TensorFlow: help, and what is wrong with the flags."""

import dataclasses
import os
import re
import subprocess
import sys

import pytest

from fanogan_tf import cli, options
from fanogan_tf.options import SCOPES, Options
from tests.helpers.commands import ROOT, TINY, fail, run, succeed

# As if it could not be imported; what needs it says so.
WITHOUT = """
import sys
for name in ("tensorflow", "keras", "sklearn", "matplotlib", "scipy"):
    sys.modules[name] = None
from fanogan_tf.cli import main
main()
"""


def light(*arguments):
    """A command that must not import anything heavy."""
    command = [sys.executable, "-c", WITHOUT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, env=os.environ)


def test_help_lists_every_command_and_flagfile():
    for arguments in ((), ("--help",)):
        finished = light(*arguments)
        assert finished.returncode == 0 and finished.stderr == ""
        for name, command in cli.COMMANDS.items():
            about = command.help.splitlines()[0].removesuffix(".")
            assert re.search(rf"^  fanogan {name} +{re.escape(about)}$", finished.stdout, re.MULTILINE), name
        assert re.search(r"Flagfiles that come along: anogan_64x64,\schest_xray,", finished.stdout)


def test_help_of_every_command_is_grouped():
    for name, command in cli.COMMANDS.items():
        finished = light(name, "--help")
        assert finished.returncode == 0 and finished.stderr == "", finished.stderr
        shown = [field for field in dataclasses.fields(Options) if field.metadata["scope"] in command.scopes]
        headings = [SCOPES[scope] for scope in command.scopes]
        places = [finished.stdout.index(f"\n{heading}\n") for heading in headings]
        assert places == sorted(places), name
        flags = re.findall(r"^  --(\w+)", finished.stdout, re.MULTILINE)
        assert sorted(flags[-len(shown) :] if shown else []) == sorted(field.name for field in shown), name
        assert len(flags) == len(set(flags)) > len(shown), name


def test_the_newcomers_ten_come_first():
    flags = re.findall(r"^  --(\w+)", light("train", "--help").stdout, re.MULTILINE)
    ten = [field.name for field in dataclasses.fields(Options) if field.metadata["first"]]
    assert len(ten) == 10 and flags[:13] == ["run_dir", "overwrite", "phase", *ten]


def test_mistakes_are_answered_at_once():
    for arguments, said in (
        (["nonsense"], "nonsense: no such command; there are run, train, score,"),
        (["train", "--kapa=3"], "Unknown command line flag 'kapa'. Did you mean: kappa ?"),
        (["train", "--method=fanogen"], "flag --method=fanogen: value should be one of <fanogan|"),
        (["train", "--dataset=cifar"], "flag --dataset=cifar: value should be one of <digits|"),
        (["train", "--iterations=ten"], "flag --iterations=ten"),
        (
            ["train", "--flagfile=nonsense"],
            "--flagfile=nonsense: no such file; give a path, or one of those that come along: anogan",
        ),
        (["train", "--flagfile=flags/none.flags"], "--flagfile=flags/none.flags: no such file"),
        (["train", "stray"], "unexpected argument 'stray'; every setting is a --flag=value"),
        (["train", "--flagfile=digits"], "--run_dir: say in which directory the run is kept"),
        (["score", "--run_dir=/nowhere/r"], "/nowhere/r: no run here; run fanogan train --run_dir=/nowhere/r first"),
        (["score", "--model=m"], "--model: has no test split of its own"),
        (["export", "--run_dir=r"], "--output: say in which folder"),
        (["serve"], "--model: say which exported model"),
    ):
        finished = light(*arguments)
        assert finished.returncode == 1 and finished.stdout == "", (arguments, finished.stderr)
        assert finished.stderr.startswith(f"error: {said}") and finished.stderr.count("\n") == 1, finished.stderr


def test_without_tensorflow_it_says_how_to_get_it(tmp_path):
    finished = light("train", *TINY, f"--run_dir={tmp_path / 'r'}")
    assert finished.stderr == "error: TensorFlow is not installed; pip install 'fanogan_tf[cpu]', or [gpu], brings it\n"


def test_version():
    assert light("--version").stdout == f"fanogan_tf {cli.fanogan_tf.__version__}\n"


def test_scopes():
    assert set().union(*(options.names(scope) for scope in SCOPES)) == options.names()
    assert options.names("detector", free=True) == {
        "false_positive_rate",
        "threshold_rule",
        "score",
        "nearest_normals",
        "screened",
    }
    assert options.names("running") <= options.FREE


def test_flagfiles_by_name_or_path(tmp_path):
    mine = tmp_path / "digits"
    mine.write_text("--dim=3\n")
    assert cli._with_path("--flagfile=digits") == f"--flagfile={ROOT / 'flags' / 'digits.flags'}"
    assert cli._with_path(f"--flagfile={mine}") == f"--flagfile={mine}"
    assert cli._with_path("--kappa=digits") == "--kappa=digits"
    assert set(cli.flagfiles()) == {path.stem for path in (ROOT / "flags").glob("*.flags")}


@pytest.mark.slow
def test_flags_that_mean_nothing_are_named(tmp_path):
    finished = run("train", f"--run_dir={tmp_path / 'r'}", "--method=pca", "--kappa=3", "--oct_columns=9")
    assert finished.returncode == 0, finished.stderr
    notes = [line for line in finished.stderr.splitlines() if line.startswith("note: ")]
    assert notes == ["note: --method=pca does not read --kappa", "note: --dataset=digits does not read --oct_columns"]
    assert "--kappa=3" in (tmp_path / "r" / "flags.txt").read_text()


@pytest.mark.slow
def test_the_scripts_are_the_commands():
    scripts = sorted(set((ROOT / "scripts").glob("*.py")) - {ROOT / "scripts" / "reading_room.py"})  # A demonstration.
    assert {"train", "score", "evaluate", "export"} <= {script.stem for script in scripts} <= set(cli.COMMANDS)
    for script in scripts:
        name = script.stem
        finished = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, timeout=60, env=os.environ)
        assert finished.stdout == succeed(name, "--help"), name


def test_no_run_dir_in_any_command():
    for name in ("run", "train", "score", "evaluate", "reproduce"):
        assert fail(name).startswith("--run_dir: say in which directory")
