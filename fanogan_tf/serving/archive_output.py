"""The folder that an archive's scores go to: it appears with all that belongs into it, or not at all."""

import contextlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from apache_beam.io.filesystems import FileSystems

from fanogan_tf import files
from fanogan_tf.errors import UserError
from fanogan_tf.serving.archive_files import is_url

_COUNTS = "counts"


class Output:
    """The folder while it is being filled, for every worker to write into.

    path: where shards go. work: what is gone in the end. progress: on this machine, for `archive_progress`.
    """

    def __init__(self, path: str, progress: Path):
        self.path = path
        self.work = f"{path}/work"
        self.progress = progress
        self.list = f"{self.work}/files.jsonl"
        self.counts_file = f"{self.work}/{_COUNTS}"

    def write_list(self, names: Iterable[str]) -> int:
        """Writes one name per line for the workers to read; returns their number."""
        FileSystems.mkdirs(self.work)
        count = 0
        with FileSystems.create(self.list) as file:
            for count, name in enumerate(names, 1):  # noqa: B007 - wanted behind the loop
                file.write(json.dumps(name).encode("ascii") + b"\n")
        return count

    def counts(self) -> dict[str, int]:
        """What the pipeline counted: lines of a name and a number."""
        with FileSystems.open(self.counts_file) as file:
            lines = file.read().decode("ascii").splitlines()
        return {name: int(number) for name, number in (line.split() for line in lines)}

    def finish(self, summary: dict) -> None:
        """Clears up, and writes the summary, last of all."""
        FileSystems.delete([self.work])
        with FileSystems.create(f"{self.path}/summary.json", mime_type="application/json") as file:
            file.write(json.dumps(summary, indent=1).encode() + b"\n")


@contextlib.contextmanager
def opened(output: str) -> Iterator[Output]:
    """A folder under another name, which becomes `output` when the block ends without error; a URL is written to directly.

    Raises:
      UserError: there is something already, or it cannot be written.
    """
    if not output:
        raise UserError("--output: say which folder to make for the scores")
    with contextlib.ExitStack() as stack:
        if is_url(output):
            path = output.rstrip("/")
            if FileSystems.match([f"{path}/**"])[0].metadata_list:
                raise UserError(f"--output={output}: is there already; give a new folder")
            yield Output(path, Path(stack.enter_context(tempfile.TemporaryDirectory())))
            return
        try:
            folder = stack.enter_context(files.new_folder(Path(output)))
        except FileExistsError as error:
            raise UserError(f"--output={output}: is there already; give a new folder") from error
        except OSError as error:
            raise UserError(f"--output={output}: cannot be written ({error.strerror}); give another folder") from error
        yield Output(str(folder.absolute()), Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))))
