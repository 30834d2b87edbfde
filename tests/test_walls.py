"""What may import what. A new room takes its place in TRUNK or WINGS here."""

from benchmarks.house import circle, imports, modules

# Each imports only those that stand before it, and nothing else of the package.
TRUNK = ["errors", "files", "options", "random_streams", "keras_line"]
TRUNK += ["distributed", "data", "networks", "training", "detection", "evaluation"]
WINGS = ["methods", "oct", "serving", "archive", "comparison", "lungs", "reading"]
SHARED_BY_METHODS = {f"fanogan_tf.methods.{name}" for name in ("base", "gan_phase", "joint", "fitted")}

MODULES = modules()
IMPORTS = [(name, target) for name, path in MODULES.items() for target in imports(path, MODULES)]


def room(module):
    """Of the package: `data` for fanogan_tf.data.folder; the empty string for the package itself."""
    return module.partition(".")[2].partition(".")[0]


def test_every_room_is_there():
    assert {*TRUNK, *WINGS} <= {room(name) for name in MODULES}
    assert len(IMPORTS) > len(MODULES)


def test_no_circles():
    assert circle(MODULES) == []


def test_the_trunk_imports_neither_wings_nor_upwards():
    below = {name: TRUNK[: place + 1] for place, name in enumerate(TRUNK)}
    assert not [(name, target) for name, target in IMPORTS if room(name) in TRUNK and room(target) not in below[room(name)]]


def test_one_door_to_oct():
    assert {room(name) for name, target in IMPORTS if room(target) == "oct"} <= {"datasets", "oct"}


def test_only_methods_names_the_methods():
    """A method is found by its name in METHODS. Inside methods/, one may build on another."""
    methods = {name for name in MODULES if name.startswith("fanogan_tf.methods.")} - SHARED_BY_METHODS
    assert not [(name, target) for name, target in IMPORTS if target in methods and room(name) != "methods"]
