"""The package in numbers, and what imports what in it: python benchmarks/house.py [PACKAGE_FOLDER]

Standard library only: it also counts a package that is not installed.
"""

import ast
import graphlib
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "fanogan_tf"
_LATER = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda  # Their bodies run when called, not when imported.


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Every module and subpackage below `package`, by its dotted name."""
    names = {path: path.relative_to(package.parent).with_suffix("").parts for path in sorted(package.rglob("*.py"))}
    return {".".join(name).removesuffix(".__init__"): path for path, name in names.items()}


def imports(path: Path, known: dict[str, Path], at_import: bool = False) -> set[str]:
    """The names in `known` that the file imports; `at_import`: without imports inside functions and `if TYPE_CHECKING`.

    Raises:
      ValueError: a relative import.
    """
    found = set()
    for node in _nodes(ast.parse(path.read_text(encoding="utf-8")), at_import):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{path}:{node.lineno}: a relative import; write the whole name")
            # `from package import name`: a module of that name, or something inside the package.
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inside & known.keys()) or {node.module}
    return found & known.keys()


def _nodes(tree: ast.AST, at_import: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if at_import and (isinstance(node, _LATER) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))):
            continue
        yield node
        yield from _nodes(node, at_import)


def circle(known: dict[str, Path]) -> list[str]:
    """The modules of one import circle, the first one again at the end; empty where there is none."""
    try:
        graphlib.TopologicalSorter({name: imports(path, known, at_import=True) for name, path in known.items()}).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def counts(package: Path = PACKAGE) -> dict[str, object]:
    """Sizes of the modules, `__init__.py` files left out; the import circle; how many files name GANomaly, one method of many."""
    known = modules(package)
    texts = {path: path.read_text(encoding="utf-8") for path in known.values()}
    lines = {path: len(text.splitlines()) for path, text in texts.items() if path.name != "__init__.py"}
    largest = max(lines, key=lines.__getitem__)
    return {
        "modules": len(lines),
        "under 50 lines": sum(count < 50 for count in lines.values()),
        "median lines": statistics.median(lines.values()),
        "largest": f"{lines[largest]} ({largest.relative_to(package)})",
        "import circle": " -> ".join(circle(known)) or "none",
        "files that name ganomaly": sum("ganomaly" in text.lower() for text in texts.values()),
    }


if __name__ == "__main__":
    for name, value in counts(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE).items():
        print(f"{name}: {value}")
