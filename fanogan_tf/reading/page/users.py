"""Who may read: names and hashed passwords, one `NAME HASH` a line, in a file that only its owner can read."""

import getpass
import re
import sys
import time
from pathlib import Path

from werkzeug.security import check_password_hash, generate_password_hash

from fanogan_tf import files
from fanogan_tf.errors import UserError

LEAST = 10  # Letters of a password.
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Failures of one name, or from one address, within so many seconds before it has to wait.
_FAILURES, _SECONDS = 5, 60.0


class Users:
    """The file, read again at every login: who is added can log in at once, who is removed cannot."""

    def __init__(self, path: Path):
        self.path = Path(path)
        self._failed: dict[str, list[float]] = {}

    def ask(self, name: str) -> None:
        """Asks for a password and enters it; without a terminal, it is the first line of what comes in.

        Raises:
          UserError: see `add`; or the two that were typed differ.
        """
        if sys.stdin.isatty():
            password = getpass.getpass(f"password of {name}: ")
            if getpass.getpass("once more: ") != password:
                raise UserError("the two passwords differ; nothing was changed")
        else:
            password = sys.stdin.readline().rstrip("\n")
        self.add(name, password)
        print(f"{name} can log in: {self.path}")

    def add(self, name: str, password: str) -> None:
        """Enters a reader, or another password of one.

        Raises:
          UserError: the name has other letters than A-Z, a-z, 0-9, ".", "_" and "-"; or the password is too short.
        """
        if not _NAME.fullmatch(name):
            raise UserError(f"--add_user={name}: a name has 1 to 64 letters of A-Z, a-z, 0-9, '.', '_' and '-'")
        if len(password) < LEAST:
            raise UserError(f"--add_user={name}: a password has at least {LEAST} letters; nothing was changed")
        known = self._read() if self.path.exists() else {}
        known[name] = generate_password_hash(password)
        with files.whole_file(self.path) as temporary:
            # Not for a moment readable for others.
            temporary.touch(mode=0o600, exist_ok=False)
            temporary.write_text("".join(f"{one} {hashed}\n" for one, hashed in sorted(known.items())), encoding="utf-8")

    def right(self, name: str, password: str) -> bool:
        """Whether that is the reader's password. It takes as long for a name that is not known."""
        hashed = self._read().get(name)
        return check_password_hash(hashed or generate_password_hash(""), password) and hashed is not None

    def waits(self, *who: str) -> bool:
        """Whether one of these (a name, an address) has failed too often in the last minute."""
        since = time.monotonic() - _SECONDS
        self._failed = {one: [t for t in times if t > since] for one, times in self._failed.items() if times[-1] > since}
        return any(len(self._failed.get(one, ())) >= _FAILURES for one in who)

    def failed(self, *who: str) -> None:
        """Counts a failure of each."""
        for one in who:
            self._failed.setdefault(one, []).append(time.monotonic())

    def _read(self) -> dict[str, str]:
        """Hashes by name.

        Raises:
          UserError: there is no such file, or it is another one.
        """
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise UserError(f"--users={self.path}: cannot be read ({why}); fanogan reading --add_user=NAME makes it") from error
        known = {}
        for number, line in enumerate(filter(str.strip, lines), 1):
            name, _, hashed = line.partition(" ")
            if not _NAME.fullmatch(name) or hashed.count("$") != 2:
                raise UserError(f"--users={self.path}: entry {number} is no name with a hashed password; remove it")
            known[name] = hashed
        return known

    def check(self) -> None:
        """Raises UserError if the file is not there, is another one, or has nobody in it."""
        if not self._read():
            raise UserError(f"--users={self.path}: nobody is in it; fanogan reading --users={self.path} --add_user=NAME adds one")
