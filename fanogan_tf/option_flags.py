"""The settings of an experiment as absl flags, and as the flagfile that every run keeps, `flags.txt`."""

import dataclasses
from pathlib import Path
from typing import Any

from absl import flags

from fanogan_tf.errors import UserError
from fanogan_tf.options import PATHS, Options

# What was not yet to be chosen when a run's file does not name it, and was then something else than the default of today.
_EARLIER = {"mapping_clipping": "stochastic"}


def define_flags(values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines one absl flag per field of `Options`."""
    for field in dataclasses.fields(Options):
        common = {"flag_values": values, "default": field.default, "help": field.metadata["help"], "name": field.name}
        least, most = field.metadata["least"], field.metadata["most"]
        if field.metadata["choices"]:
            flags.DEFINE_enum(enum_values=field.metadata["choices"], **common)
            values[field.name].boolean = field.metadata["bare"]
        elif field.type is bool:
            flags.DEFINE_boolean(**common)
        elif field.type is int:
            flags.DEFINE_integer(lower_bound=least, upper_bound=most, **common)
        elif field.type is float:
            flags.DEFINE_float(lower_bound=least, upper_bound=most, **common)
        else:
            flags.DEFINE_string(**common)


def from_flags(values: flags.FlagValues = flags.FLAGS) -> tuple[Options, frozenset[str]]:
    """The options, and the names of those that the user gave (the rest are defaults)."""
    names = [f.name for f in dataclasses.fields(Options)]
    chosen: dict[str, Any] = {name: values[name].value for name in names}
    chosen |= {name: str(Path(chosen[name]).absolute()) for name in PATHS if chosen[name]}
    return Options(**chosen), frozenset(name for name in names if values[name].present)


def to_text(options: Options) -> str:
    """The options as an absl flagfile, one flag per line."""
    lines = []
    for name, value in dataclasses.asdict(options).items():
        lines.append(f"--{name}={str(value).lower() if isinstance(value, bool) else value}")
    return "\n".join(lines) + "\n"


def from_text(text: str, source: str) -> Options:
    """The reverse of `to_text`; `source` is the file's name for the error message.

    Raises:
      UserError: a line is not a flag of this version.
    """
    values = flags.FlagValues()
    define_flags(values)
    for name, value in _EARLIER.items():
        values.set_default(name, value)
    try:
        rest = values([source, *(line for line in text.splitlines() if line and not line.startswith("#"))])[1:]
        if rest:
            raise flags.Error(f"{rest[0]!r} is no flag")
    except flags.Error as error:
        raise UserError(f"{source}: {error}; it was not written by this version of fanogan_tf") from error
    return from_flags(values)[0]
