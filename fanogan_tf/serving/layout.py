"""What an exported model looks like from outside: its folders, and what its signatures are called."""

from pathlib import Path

from fanogan_tf.errors import UserError

EXTRA = "assets.extra"
CARD = f"{EXTRA}/model_card.json"

# The signatures that every model has, by their one input; and the outputs that those always have.
SCORING = {"serving_default": "image", "serving_bytes": "image_bytes"}
OUTPUTS = ("score", "probability", "anomalous")


def versions(folder: Path) -> list[int]:
    """The versions in an export folder, ascending."""
    if not Path(folder).is_dir():
        return []
    return sorted(int(path.name) for path in Path(folder).iterdir() if path.name.isdecimal() and path.is_dir())


def version_folder(folder: Path) -> Path:
    """`folder` itself if a SavedModel is right in it, else its newest version.

    Raises:
      UserError: there is neither.
    """
    folder = Path(folder)
    found = [folder, *(folder / str(version) for version in reversed(versions(folder)))]
    for path in found:
        if (path / "saved_model.pb").is_file():
            return path
    raise UserError(f"{folder}: no SavedModel here (no saved_model.pb, nor a version with one); scripts/export.py makes one")
