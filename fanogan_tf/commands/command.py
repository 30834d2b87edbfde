"""What describes a command."""

import dataclasses
from collections.abc import Callable

from fanogan_tf.options import SCOPES, Options


@dataclasses.dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
      main: (options, names of those that were given) -> None; its docstring is the command's help.
      define_flags: defines the absl flags that are the command's own.
      scopes: of the options that its help shows.
      rest: its multi-string flag that takes arguments without a flag, such as what a shell made of `--images=*.png`.
    """

    main: Callable[[Options, frozenset[str]], None]
    define_flags: Callable[[], None]
    scopes: tuple[str, ...] = tuple(SCOPES)
    rest: str = ""

    @property
    def help(self) -> str:
        """The docstring of `main`, without its indentation."""
        lines = (self.main.__doc__ or "").strip().splitlines()
        return "\n".join(line.strip() for line in lines)
