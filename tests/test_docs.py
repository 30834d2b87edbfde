"""The documentation says what is so: its links lead somewhere, its commands and flags are there."""

import functools
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fanogan_tf.cli import COMMANDS, flagfiles
from fanogan_tf.methods import METHODS

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
# What docs/make_notebooks.py makes of the notebooks is not theirs to keep true.
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if page.with_suffix(".ipynb") not in NOTEBOOKS),
]


@functools.cache
def text_of(page):
    """A page's text, a notebook's Markdown; blocks of code are left out."""
    text = page.read_text(encoding="utf-8")
    if page in NOTEBOOKS:
        text = "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    """What a link may name behind #: the headings, as both GitHub and MkDocs spell them."""
    headings = re.findall(r"^#+ +(.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


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


def leads_somewhere(page, link):
    """Whether a link is to a file that is there, and to a heading of it; of a link to another site, whether it is well formed."""
    if "://" in link or link.startswith("mailto:"):
        parts = urlsplit(link)
        return parts.scheme == "https" and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc) is not None
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return (target.exists() or target.with_suffix(".ipynb") in NOTEBOOKS) and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)]*)\)", text_of(page))
    assert not [link for link in links if not leads_somewhere(page, link)]


@pytest.mark.parametrize(
    "link", ["nowhere.md", "#nowhere", "reference/methods.md#nowhere", "http://example.org", "https://example", "https:// a.org"]
)
def test_a_link_to_nowhere_is_found(link):
    assert leads_somewhere(ROOT / "docs" / "index.md", "reference/methods.md#f-anogan")
    assert not leads_somewhere(ROOT / "docs" / "index.md", link)


def unknown(line):
    """What a command line names that is not there."""
    words = line.split()
    name = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
    if name not in COMMANDS:
        return [name]
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
    pages = [*PAGES[3:], *(notebook.with_suffix(".md") for notebook in NOTEBOOKS)]
    assert not [page for page in pages if f" {page.relative_to(ROOT / 'docs').as_posix()}\n" not in nav]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_notebooks_are_kept_without_outputs(notebook):
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert cells and not [cell for cell in cells if cell["outputs"] or cell["execution_count"]]


def test_every_method_has_a_section_with_its_settings():
    text = (ROOT / "docs" / "reference" / "methods.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    sections = {heading.lower().replace(" ", "-"): body for heading, body in zip(parts[::2], parts[1::2], strict=True)}

    def settings(body):
        told = re.search(r"^\*\*Settings\.\*\*(.*?)\n\n", body, re.MULTILINE | re.DOTALL)[1]
        others = re.findall(r"\]\(#([\w-]+)\)", told)
        return {*re.findall(r"`--([a-z_]+)`", told)}.union(*(settings(sections[other]) for other in others))

    named = {name[1]: body for body in sections.values() if (name := re.search(r"^`--method=(\w+)`$", body, re.MULTILINE))}
    for body in named.values():
        assert all(f"\n**{part}.**" in body for part in ("Paper", "Equation", "Departures"))
    assert {name: settings(body) for name, body in named.items()} == {name: {*one.OPTIONS} for name, one in METHODS.items()}
