"""The pages of notebooks/, from the notebooks, which are kept without outputs: python docs/make_notebooks.py [--run]

With --run each notebook is executed and its page shows what came out, pictures beside it. Without, a page that is not there yet
shows the code alone, so that the site has no link to nowhere. git ignores pages and pictures.
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from nbconvert.preprocessors import ExecutePreprocessor

NOTEBOOKS = Path(__file__).parent / "notebooks"
LONGEST = 600  # seconds that a cell may take


def write(notebook: Path, run: bool) -> None:
    content = nbformat.read(notebook, as_version=4)
    if run:
        with tempfile.TemporaryDirectory() as folder:
            ExecutePreprocessor(timeout=LONGEST).preprocess(content, {"metadata": {"path": folder}})
        for cell in content.cells:
            # What TensorFlow says when it starts.
            cell["outputs"] = [output for output in cell.get("outputs", []) if output.get("name") != "stderr"]
    names = {"unique_key": notebook.stem, "output_files_dir": notebook.stem}
    text, made = MarkdownExporter().from_notebook_node(content, names)
    for name, picture in made["outputs"].items():
        (notebook.parent / name).parent.mkdir(exist_ok=True)
        (notebook.parent / name).write_bytes(picture)
    # A notebook's link to another is to its page.
    notebook.with_suffix(".md").write_text(text.replace(".ipynb)", ".md)"), encoding="utf-8")


if __name__ == "__main__":
    run = "--run" in sys.argv[1:]
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb")):
        if run or not notebook.with_suffix(".md").is_file():
            write(notebook, run)
