"""The documentation says what is so: its links lead somewhere, its commands and flags are there."""

import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fanogan_tf.cli import COMMANDS, flagfiles

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@functools.cache
def help_of(command):
    start = "import sys; from fanogan_tf.cli import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", start, *command.split(), "--help"], capture_output=True, text=True).stdout


def commands(page):
    """The command lines in the blocks of a page, each with its comment cut off."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for one in line.partition(" #")[0].split(";"):
                found = re.match(r"\s*(?:\.venv/bin/)?fanogan +([a-z_]+.*)", one)
                if found:
                    yield found[1].strip()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert not [link for link in links if not link.startswith("http") and not (page.parent / link).exists()]


def unknown(line):
    """What a command line names that is not there."""
    words = line.split()
    name = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
    if name not in COMMANDS:
        return [name]
    if COMMANDS[name].foreign:  # It takes flags that are none of ours.
        return []
    given = set(re.findall(r"(?<![\w-])--([a-z_0-9]+)", line)) - {"flagfile"}
    named = re.findall(r"--flagfile=([a-z_0-9]+)(?![\w./])", line)
    lacking = [flag for flag in given if not re.search(rf"--(\[no\])?{flag.removeprefix('no')}\b|--{flag}\b", help_of(name))]
    return lacking + [flagfile for flagfile in named if flagfile not in flagfiles()]


def test_commands_and_flags_are_there():
    lines = [(page, line) for page in PAGES for line in commands(page) if "--" in line]
    assert len(lines) > 30
    assert not [(page.name, line, unknown(line)) for page, line in lines if unknown(line)]


def test_the_page_of_flags_is_current():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import make_flags
    finally:
        sys.path.remove(str(ROOT / "docs"))
    assert make_flags.PAGE.read_text(encoding="utf-8") == make_flags.page(), "run python docs/make_flags.py"


def test_the_site_has_every_page():
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert not [page for page in (ROOT / "docs").rglob("*.md") if f" {page.relative_to(ROOT / 'docs').as_posix()}\n" not in nav]
