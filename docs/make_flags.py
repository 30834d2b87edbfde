"""reference/flags.md, from the options themselves: python docs/make_flags.py

tests/test_docs.py fails where the page is not what this writes.
"""

import dataclasses
import re
from pathlib import Path

from fanogan_tf.options import SCOPES, Options

PAGE = Path(__file__).parent / "reference" / "flags.md"


def page() -> str:
    lines = [
        "# Flags",
        "",
        "The options of an experiment, as `fanogan train --help` shows them. Each command has a few of its own besides.",
        "",
    ]
    for scope, about in SCOPES.items():
        lines += [f"## {about}", "", "| flag | default | meaning |", "|---|---|---|"]
        for field in dataclasses.fields(Options):
            if field.metadata["scope"] == scope:
                lines.append(f"| `--{field.name}` | {_default(field.default)} | {_meaning(field.metadata)} |")
        lines.append("")
    return "\n".join(lines)


def _default(value: object) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else ""


def _meaning(about) -> str:
    choices = f" One of {', '.join(f'`{choice}`' for choice in about['choices'])}." if about["choices"] else ""
    # A flag in a sentence is code.
    told = re.sub(r"--[a-z_]+(=[\w.,]*\w)?", lambda flag: f"`{flag[0]}`", about["help"])
    return (told + choices).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
