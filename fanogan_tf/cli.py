"""What all scripts share: flags in, one clear line out when something is wrong."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator

from absl import flags

from fanogan_tf import options as options_module
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options


@contextlib.contextmanager
def _stderr_aside() -> Iterator[None]:
    """Keeps what native code writes to stderr in this block, and shows it only if the block fails."""
    with tempfile.TemporaryFile() as aside:
        kept = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


try:
    # TensorFlow greets on stderr before any log level can be set.
    with _stderr_aside():
        import tensorflow as tf
except ModuleNotFoundError:
    sys.exit("error: TensorFlow is not installed; pip install -e '.[cpu]' or '.[gpu]' brings it")


def run(main: Callable[[Options, frozenset[str]], None], *, rest: str = "", foreign: str = "") -> None:
    """Parses the command line, calls `main` and exits: 0, or 1 with one line on stderr that says what to mend.

    Args:
      main: gets the options and the names of those that were given.
      rest: name of the multi-string flag that takes arguments without a flag, such as what a shell made of `--images=*.png`.
      foreign: name of the multi-string flag that takes flags which are none of ours; `main` hands them on.
    """
    options_module.define_flags()
    values = flags.FLAGS
    if {"-h", "--help"}.intersection(sys.argv):
        # Only ours: TensorFlow and absl define dozens more.
        helps = [values.module_help(sys.argv[0]), values.module_help(options_module)]
        print(sys.modules["__main__"].__doc__, "\n--flagfile=FILE: read flags from a file, one per line.\n", *helps, sep="\n")
        return
    try:
        remaining = values(sys.argv, known_only=bool(foreign))[1:]
        if foreign:
            values[foreign].value = [*values[foreign].value, *(argument for argument in remaining if argument.startswith("-"))]
            remaining = [argument for argument in remaining if not argument.startswith("-")]
        if remaining and not (rest and values[rest].present):
            raise UserError(f"unexpected argument {remaining[0]!r}; every setting is a --flag=value")
        if remaining:
            values[rest].value = [*values[rest].value, *remaining]
        main(*options_module.from_flags())
    except flags.Error as error:
        _fail(" ".join(str(error).split()))
    except (UserError, OSError, tf.errors.ResourceExhaustedError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted")


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr, flush=True)
    sys.exit(1)
