"""The core without the libraries of its extras."""

import subprocess
import sys

import pytest

from fanogan_tf.errors import UserError, require

WITHOUT = """
import sys
for name in ("eyepy", "pydicom", "nibabel", "maxflow"):
    sys.modules[name] = None  # As if it were not installed.
import numpy as np
from pathlib import Path
from fanogan_tf import pipeline
from fanogan_tf.data.decode import read_image
from fanogan_tf.oct.readers import find
from fanogan_tf.oct.phantom import PhantomSettings, make_phantom
from fanogan_tf.oct.preparation import Preparation, prepare
from fanogan_tf.errors import UserError
volume = make_phantom(0, PhantomSettings(bscans=2, width=64))
prepare(volume, Preparation(64, 96, "shortest_path"))
def told(function, *arguments):
    try:
        function(*arguments)
    except UserError as error:
        print(error)
told(prepare, volume, Preparation(64, 96, "graph_cut"))
told(find.read_volume, Path(sys.argv[1]), "a.vol")
told(read_image, Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_the_core_works_without_the_extra_and_says_what_needs_it(tmp_path):
    (tmp_path / "a.vol").write_bytes(b"HSF-OCT")
    (tmp_path / "a.dcm").write_bytes(b"")
    command = [sys.executable, "-c", WITHOUT, tmp_path / "a.vol", tmp_path / "a.dcm"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert finished.returncode == 0, finished.stderr
    cut, vol, dicom = finished.stdout.splitlines()
    assert cut.startswith("surfaces by graph cut need PyMaxflow: pip install 'fanogan_tf[oct]'")
    assert vol == f"{tmp_path / 'a.vol'}: reading it needs eyepy: pip install 'fanogan_tf[oct]'"
    assert dicom == f"{tmp_path / 'a.dcm'}: reading it needs pydicom: pip install 'fanogan_tf[dicom]'"


def test_what_is_there_is_not_complained_about(tmp_path):
    require("numpy", tmp_path, "oct")
    with pytest.raises(UserError, match=r"x\.vol: reading it needs no_such_library"):
        require("no_such_library", "x.vol", "oct")
