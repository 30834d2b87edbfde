"""The tutorials' commands, each run as it stands, in a folder with the data that its page names, made up and small."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from fanogan_tf.cli import COMMANDS
from fanogan_tf.oct.phantom import PhantomSettings, make_phantom
from tests.helpers import commands, lung_films
from tests.helpers.image_folders import patients, save
from tests.helpers.oct_files import raw_values, write_vol

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"(?:^<!-- not run: ([^\n]+) -->\n+)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(\.venv/bin/)?(fanogan|make|pip|python|cp|mkdir|tensorboard|curl|docker) ", re.MULTILINE)

# Behind the flags of a first training, which its flagfile's would take hours.
SMALL = ("--dim=2", "--latent_dim=2", "--batch_size=8", "--n_critic=1", "--iterations=2", "--encoder_iterations=2")
SMALLER = {
    "digits": (*SMALL, "--test_images=40"),
    "own_images": (*SMALL, "--image_size=16"),
    "chest_xrays": ("--method=pca", "--latent_dim=2", "--image_size=16"),
    "oct": (*SMALL, "--image_size=32", "--patches=25", "--oct_columns=64", "--oct_height=96"),
}
FINDER = ("--dim=4", "--batch_size=4", "--iterations=60", "--learning_rate=1e-2", "--norandom_flip")


def digits(folder):
    """They come with scikit-learn; and one of them as a file."""
    save(folder / "digit.png", (load_digits().images[8] * 15).astype(np.uint8))


def own_images(folder):
    shutil.copytree(ROOT / "flags", folder / "flags")
    patients(folder / "my_images")
    shutil.copytree(folder / "my_images" / "test_normal", folder / "scans")


def chest_xrays(folder):
    """Films with the names of Kermany's, which the flagfile knows patients by; development/ has the 149 that a bound needs."""
    lung_films.folder(folder / "films_with_masks")
    for kind, pattern, first, count in (
        ("films/train_normal", "IM-{:04d}-0001", 100, 24),
        ("films/test_normal", "NORMAL2-IM-{:04d}-0001", 300, 6),
        ("films/test_anomalous", "person{}_virus_1", 400, 6),
        ("development", "person{}_virus_1", 500, 160),
        ("some_films", "{}", 900, 2),
    ):
        for number in range(first, first + count):
            bright = "anomalous" in kind or kind == "development"
            save(folder / kind / f"{pattern.format(number)}.png", lung_films.film(number, bright=bright)[0])


def oct_volumes(folder):
    settings = PhantomSettings(bscans=2, height=320, width=128, spacing=(0.123, 0.00387, 0.02266), averaging=9)
    names = ("train_normal/0", "train_normal/1", "train_normal/2", "test_normal/3", "test_anomalous/4")
    for seed, path in enumerate([*(f"my_volumes/{name}.vol" for name in names), "some.vol"]):
        volume = make_phantom(seed, settings)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_vol(folder / path, raw_values(volume.data), spacing=volume.spacing)


DATA = {"digits": digits, "own_images": own_images, "chest_xrays": chest_xrays, "oct": oct_volumes}


def blocks(page):
    """The blocks of a page: why one is not run, "" where it is; its language; its text."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_block_of_commands_is_run_or_says_why_not(page):
    found = blocks(page)
    assert len(found) == page.read_text(encoding="utf-8").count("\n```") / 2
    of_commands = [(why, language) for why, language, text in found if COMMAND.search(text) or language == "sh"]
    assert of_commands and all(language == "sh" for _, language in of_commands)
    assert all(why for why, _ in of_commands) != (page.stem in DATA)


def lines(page):
    """The words of each command line that is run."""
    text = "".join(text for why, language, text in blocks(page) if language == "sh" and not why)
    return [words for line in text.replace("\\\n", " ").splitlines() if (words := shlex.split(line, comments=True))]


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page.stem in DATA], ids=lambda page: page.stem)
def test_the_commands_run(page, tmp_path):
    DATA[page.stem](tmp_path)
    for words in lines(page):
        if words[0] != "fanogan":
            subprocess.run(words, cwd=tmp_path, check=True)
            continue
        name = " ".join(words[1:3]) if " ".join(words[1:3]) in COMMANDS else words[1]
        given = words[1 + len(name.split()) :]
        small = FINDER if name == "lungs train" else SMALLER[page.stem] if any("--flagfile" in word for word in given) else ()
        ended = commands.run(name, *given, *small, folder=tmp_path)
        assert ended.returncode == 0, f"{' '.join(words)}: {ended.stderr}"
        for written in (word.partition("=")[2] for word in given if word.startswith(("--run_dir=", "--output=", "--maps="))):
            assert (tmp_path / written).exists(), f"{' '.join(words)}: no {written}"
