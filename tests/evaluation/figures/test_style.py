import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
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


NAMES = [f"method {i}" for i in range(21)]


def test_twenty_one_methods_look_different_with_their_line_and_with_their_marker():
    given = list(style.looks(NAMES).values())
    assert len({(look.colour, look.line) for look in given}) == 21
    assert len({(look.colour, look.marker, look.hollow) for look in given}) == 21


def test_a_look_depends_on_the_place_alone():
    assert style.looks(NAMES[:3]) == {name: look for name, look in style.looks(NAMES).items() if name in NAMES[:3]}
    assert style.looks([*NAMES, "one more"])["one more"] == style.looks(NAMES)["method 0"]


def test_no_two_colours_are_equally_light_and_equally_blue():
    # Red-green blindness leaves lightness and blueness, and colours that differ in neither look the same.
    colours = [to_rgb(look.colour) for look in style.looks(NAMES[:7]).values()]
    seen = [(0.3 * red + 0.59 * green + 0.11 * blue, blue) for red, green, blue in colours]
    for i, one in enumerate(seen):
        assert all(max(abs(one[0] - other[0]), abs(one[1] - other[1])) > 0.1 for other in seen[:i])


def test_dots_are_filled_or_hollow():
    filled, hollow = style.Look("#000000", "-", "o", False).dot(5), style.Look("#000000", "-", "D", True).dot(5)
    assert (filled["markerfacecolor"], hollow["markerfacecolor"]) == ("#000000", "white")
    assert filled["markeredgecolor"] == hollow["markeredgecolor"] == "#000000"


def test_key_is_sorted_and_to_the_right_of_the_plot():
    figure, plot = style.axes(8.0, 4.0, "a", "")
    handles = {name: plot.plot([0, 1], [0, i])[0] for i, name in enumerate(["low", "not measured", "high"])}
    style.key(plot, handles, {"low": 0.25, "high": 1.0}, "AUROC")
    key = plot.get_legend()
    assert [text.get_text() for text in key.get_texts()] == ["1.000  high", "0.250  low", "none   not measured"]
    order = ("high", "low", "not measured")
    assert [line.get_color() for line in key.get_lines()] == [handles[name].get_color() for name in order]
    figure.savefig("/dev/null", format="png")
    assert plot.get_window_extent().x1 < key.get_window_extent().x0
    assert key.get_window_extent().x1 <= figure.bbox.x1
