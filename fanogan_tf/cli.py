"""The command `fanogan`: flags in, one clear line out when something is wrong.

Nothing heavy is imported here, nor by a command before it has read its flags: help and mistakes are answered at once.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from absl import flags

import fanogan_tf
from fanogan_tf import option_flags
from fanogan_tf.commands import help as command_help
from fanogan_tf.commands import lungs, reading, scoring, serving, training
from fanogan_tf.commands.command import Command
from fanogan_tf.errors import UserError

# In the order in which a user meets them.
COMMANDS = {
    "run": training.RUN,
    "train": training.TRAIN,
    "score": scoring.SCORE,
    "evaluate": scoring.EVALUATE,
    "doctor": scoring.DOCTOR,
    "screen": scoring.SCREEN,
    "compare": scoring.COMPARE,
    "reproduce": training.REPRODUCE,
    "lungs train": lungs.TRAIN,
    "lungs segment": lungs.SEGMENT,
    "visual_turing": scoring.VISUAL_TURING,
    "export": serving.EXPORT,
    "verify_export": serving.VERIFY_EXPORT,
    "serve": serving.SERVE,
    "node": reading.NODE,
    "reading": reading.READING,
    "score_archive": scoring.SCORE_ARCHIVE,
}


def main(*arguments: str) -> None:
    """Runs `fanogan ARGUMENTS ...` with the process's own behind them, and exits: 0, or 1 with one line on stderr."""
    name, *rest = (*arguments, *sys.argv[1:]) or ("--help",)
    if rest and f"{name} {rest[0]}" in COMMANDS:
        name, *rest = f"{name} {rest[0]}", *rest[1:]
    if name in ("-h", "--help", "help"):
        _show(command_help.overview(COMMANDS, flagfiles()))
    elif name == "--version":
        print(f"fanogan_tf {fanogan_tf.__version__}")
    elif name.replace("-", "_") in COMMANDS:
        _run(name, COMMANDS[name.replace("-", "_")], rest)
    else:
        _fail(f"{name}: no such command; there are {', '.join(COMMANDS)}")


def _run(name: str, command: Command, arguments: Sequence[str]) -> None:
    """Parses `arguments` and calls the command."""
    values = flags.FLAGS
    before = set(values)
    command.define_flags()
    own = [flag for flag in values if flag not in before]
    option_flags.define_flags()
    if {"-h", "--help"}.intersection(arguments):
        _show(command_help.of_command(command, own))
        return
    try:
        remaining = list(values([f"fanogan {name}", *map(_with_path, arguments)]))[1:]
        if remaining and not (command.rest and values[command.rest].present):
            raise UserError(f"unexpected argument {remaining[0]!r}; every setting is a --flag=value")
        if remaining:
            rest = values[command.rest]
            rest.value = [*(rest.value or []), *remaining]
        command.main(*option_flags.from_flags())
    except flags.Error as error:
        _fail(" ".join(str(error).split()))
    except (UserError, OSError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted")
    except Exception as error:
        tensorflow = sys.modules.get("tensorflow")
        if tensorflow is None or not isinstance(error, tensorflow.errors.ResourceExhaustedError):
            raise
        # A full disk is one, too, and says so itself.
        out_of_memory = "OOM" in str(error) or "out of memory" in str(error).lower()
        _fail(
            f"out of memory; lower --batch_size, --score_batch_size, --dim or --image_size ({_first_line(error)})"
            if out_of_memory
            else str(error)
        )


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def flagfiles() -> dict[str, Path]:
    """The flagfiles that come along, by name: in a wheel inside the package, in a checkout the folder flags/ beside it."""
    package = Path(__file__).parent
    folder = package / "flagfiles" if (package / "flagfiles").is_dir() else package.parent / "flags"
    return {path.stem: path for path in sorted(folder.glob("*.flags"))}


def _with_path(argument: str) -> str:
    """`--flagfile=NAME` with the path of the flagfile; any other argument as it is.

    Raises:
      UserError: it is neither a file nor the name of a flagfile.
    """
    flag, _, name = argument.partition("=")
    if flag not in ("--flagfile", "-flagfile") or not name or Path(name).is_file():
        return argument
    known = flagfiles()
    if name not in known:
        raise UserError(f"--flagfile={name}: no such file; give a path, or one of those that come along: {', '.join(known)}")
    return f"{flag}={known[name]}"


def _show(text: str) -> None:
    """Prints help, of which `| head` may take as much as it likes."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr, flush=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
