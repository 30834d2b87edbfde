"""The parts that all commands share: their description, and the first import of TensorFlow."""

import contextlib
import dataclasses
import os
import sys
import tempfile
from collections.abc import Callable, Iterator

from fanogan_tf.errors import UserError
from fanogan_tf.options import SCOPES, Options


@dataclasses.dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
      main: (options, names of those that were given) -> None; its docstring is the command's help.
      define_flags: defines the absl flags that are the command's own.
      scopes: of the options that its help shows.
      rest: its multi-string flag that takes arguments without a flag, such as what a shell made of `--images=*.png`.
      foreign: its multi-string flag that takes the flags which are none of ours.
    """

    main: Callable[[Options, frozenset[str]], None]
    define_flags: Callable[[], None]
    scopes: tuple[str, ...] = tuple(SCOPES)
    rest: str = ""
    foreign: str = ""

    @property
    def help(self) -> str:
        """The docstring of `main`, without its indentation."""
        lines = (self.main.__doc__ or "").strip().splitlines()
        return "\n".join(line.strip() for line in lines)


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Around a command's first import of TensorFlow, which greets on stderr before any log level can be set.

    What native code writes there is kept aside, and shown only if the import fails.

    Raises:
      UserError: TensorFlow is not installed.
    """
    with tempfile.TemporaryFile() as aside:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except ModuleNotFoundError as error:
            if error.name != "tensorflow":
                raise
            raise UserError("TensorFlow is not installed; pip install 'fanogan_tf[cpu]', or [gpu], brings it") from error
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
