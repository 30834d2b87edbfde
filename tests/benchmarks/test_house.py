import pytest

from benchmarks.house import circle, counts, imports, modules


def package(folder, **files):
    (folder / "p").mkdir()
    (folder / "p/__init__.py").write_text('"""A package."""\n')
    for name, text in files.items():
        (folder / f"p/{name}.py").write_text(text)
    return folder / "p"


def test_imports_of_every_form(tmp_path):
    text = "import p.a\nfrom p import b, VALUE\nfrom p.c import f\nimport os\ndef g():\n    from p import d\n"
    known = modules(package(tmp_path, a="", b="", c="", d="", e=text))
    assert sorted(known) == ["p", "p.a", "p.b", "p.c", "p.d", "p.e"]
    assert imports(known["p.e"], known) == {"p.a", "p.b", "p.c", "p.d"}
    assert imports(known["p.e"], known, at_import=True) == {"p.a", "p.b", "p.c"}
    known["p.e"].write_text("from . import a")
    with pytest.raises(ValueError, match=r"e\.py:1: a relative import"):
        imports(known["p.e"], known)


def test_circles_at_import_alone(tmp_path):
    later = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import p.a\ndef f():\n    import p.a\n"
    known = modules(package(tmp_path, a="import p.b\n", b="import p.c\n", c=later))
    assert circle(known) == []
    known["p.c"].write_text("try:\n    import p.a\nexcept ImportError:\n    pass\n")
    assert set(circle(known)) == {"p.a", "p.b", "p.c"}


def test_counts(tmp_path):
    folder = package(tmp_path, a="x = 1\n" * 10, b="x = 1\n" * 60, c="# Like GANomaly\n" * 80)
    assert counts(folder) == {
        "modules": 3,
        "under 50 lines": 1,
        "median lines": 60,
        "largest": "80 (c.py)",
        "import circle": "none",
        "files that name ganomaly": 1,
    }
