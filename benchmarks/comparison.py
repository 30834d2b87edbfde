"""The report of a comparison, kept as results/NAME.json: python benchmarks/comparison.py RUN_DIR NAME COMMAND"""

import json
import sys
from pathlib import Path

import harness

WHAT = "Tables of fanogan reproduce, every figure once per seed. Published figures among them are for orientation only."


def main(folder: Path, name: str, command: str) -> None:
    report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
    flags = next(path for path in sorted(folder.rglob("flags.txt"))).read_text(encoding="utf-8").splitlines()
    # Paths on this machine do not belong into a result.
    flags = [flag for flag in flags if not flag.startswith(("--data_path", "--gan_from", "--oct_cache"))]
    harness.write(name, WHAT, command, {**report, "flags_of_one_run": flags})


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
