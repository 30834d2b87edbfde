import matplotlib
import numpy as np
from PIL import Image

from fanogan_tf.evaluation.figures import style


def _texts(plot):
    return [text.get_text() for text in plot.texts]


def test_title_note_and_size(tmp_path):
    figure, plot = style.axes(5.0, 4.0, "What is seen", "synthetic phantom")
    assert plot.get_title(loc="left") == "What is seen"
    assert _texts(plot) == ["synthetic phantom"]
    style.save(figure, tmp_path / "a.png")
    assert Image.open(tmp_path / "a.png").size == (750, 600)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_note_lies_between_title_and_plot():
    figure, plot = style.axes(5.0, 4.0, "What is seen", "a note that is long enough for two lines " * 3)
    figure.savefig("/dev/null", format="png")
    title, note = plot._left_title.get_window_extent(), plot.texts[0].get_window_extent()
    assert title.y0 >= note.y1
    assert note.y0 >= plot.get_window_extent().y1
    assert note.x1 <= figure.bbox.x1 and title.y1 <= figure.bbox.y1


def test_settings_of_the_process_are_left_alone():
    before = dict(matplotlib.rcParams)
    style.axes(5.0, 4.0, "a", "b")
    assert dict(matplotlib.rcParams) == before


def test_inch_axes():
    figure, _ = style.sheet(4.0, 2.0, "a", "")
    box = style.inch_axes(figure, left=1.0, top=0.5, width=2.0, height=1.0).get_position()
    np.testing.assert_allclose([box.x0, box.x1, box.y0, box.y1], [0.25, 0.75, 0.25, 0.75])


def test_shorten():
    assert style.shorten("short") == "short"
    assert style.shorten("abcdefghijkl", 7) == "abc…jkl"
    assert len(style.shorten("x" * 100)) == 36


def test_wants_log():
    assert style.wants_log(np.geomspace(0.001, 10.0, 100))
    assert not style.wants_log(np.linspace(0.5, 3.0, 100))
    assert not style.wants_log(np.append(np.geomspace(0.001, 10.0, 100), -1.0))
