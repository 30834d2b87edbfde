"""The help texts: the list of commands, and the flags of one in groups."""

import dataclasses
import shutil
import textwrap
from collections.abc import Iterable, Mapping

from absl import flags

from fanogan_tf.commands.command import Command
from fanogan_tf.options import SCOPES, Options

_ABOUT = "GAN-based anomaly detection in images: train on normal images only, then tell how anomalous a new one is, and where."


def overview(commands: Mapping[str, Command], flagfiles: Iterable[str]) -> str:
    """What `fanogan --help` prints: every command with one line, and the names of the flagfiles."""
    width = max(map(len, commands))
    lines = [_wrapped(_ABOUT), ""]
    for name, command in commands.items():
        lines.append(f"  fanogan {name:<{width}}  {command.help.splitlines()[0].removesuffix('.')}")
    lines += ["", "fanogan COMMAND --help explains a command and its flags."]
    lines.append(_wrapped(f"Flagfiles that come along: {', '.join(flagfiles)}."))
    return "\n".join(lines)


def of_command(command: Command, own: Iterable[str]) -> str:
    """What `fanogan COMMAND --help` prints: its own flags, the options that a newcomer needs, then the rest by scope."""
    fields = [field for field in dataclasses.fields(Options) if field.metadata["scope"] in command.scopes]
    parts = [command.help, "", *_group("Flags of this command", own)]
    parts += _group("Options to begin with", [field.name for field in fields if field.metadata["first"]])
    for scope in command.scopes:
        names = [field.name for field in fields if field.metadata["scope"] == scope and not field.metadata["first"]]
        parts += _group(SCOPES[scope], names)
    parts.append(_wrapped("--flagfile=NAME reads flags from a file, one per line: a path, or the name of one that comes along."))
    if len(command.scopes) < len(SCOPES):
        parts.append(_wrapped("All other options are kept with the run. They need not be given again."))
    return "\n".join(parts)


def _group(heading: str, names: Iterable[str]) -> list[str]:
    """The heading and its flags, with an empty line behind them; nothing where there are none."""
    shown = [_flag(name) for name in names]
    return [heading, *shown, ""] if shown else []


def _flag(name: str) -> str:
    """One flag with its default and its meaning, on lines as wide as the terminal."""
    flag = flags.FLAGS[name]
    choices = getattr(flag.parser, "enum_values", None)
    if flag.boolean and not choices:
        head = f"--{name}" if not flag.default else f"--{name} (on; --no{name} turns it off)"
    else:
        head = f"--{name}={'' if flag.default in (None, []) else flag.default}"
    text = f"One of {', '.join(choices)}. " if choices else ""
    meaning = " ".join(flag.help.partition(";\n  repeat this option")[0].split())
    if choices:  # absl puts them in front of the meaning.
        meaning = meaning.partition(">: ")[2] or meaning
    return f"  {head}\n{_wrapped(meaning + ' ' + text if text else meaning, 6)}"


def _wrapped(text: str, indent: int = 0) -> str:
    width = max(60, min(shutil.get_terminal_size((110, 24)).columns, 120))
    return textwrap.fill(text.strip(), width, initial_indent=" " * indent, subsequent_indent=" " * indent)
