import numpy as np
from matplotlib.figure import Figure

from fanogan_tf.evaluation.figures import image_rows


def test_strip_and_centres():
    images = np.stack([np.full((2, 3, 1), 5.0), np.full((2, 3, 1), 7.0)])
    row = image_rows.strip(images, 3)
    nan = np.nan
    np.testing.assert_array_equal(row, [[5, 5, 5, nan, 7, 7, 7, nan, nan, nan, nan]] * 2)
    assert row.shape[1] == image_rows.strip_width(3, 3)
    assert [image_rows.centre(i, 3) for i in range(3)] == [1, 5, 9]


def test_the_gap_grows_with_the_images():
    assert image_rows.gap(8) == 1
    assert image_rows.gap(100) == 6


def test_a_frame_lies_around_its_image():
    plot = Figure().add_subplot()
    image_rows.frame(plot, 1, 2, 3, "red")
    corners = plot.patches[0].get_extents().transformed(plot.transData.inverted())
    np.testing.assert_allclose([corners.x0, corners.x1, corners.y0, corners.y1], [3.5, 6.5, -0.5, 1.5])


def test_draw_keeps_the_given_scale():
    drawn = image_rows.draw(Figure().add_subplot(), np.zeros((2, 2)), "gray", -1.0, 1.0)
    assert drawn.get_clim() == (-1.0, 1.0)


def test_one_hot_pixel_does_not_take_the_colour_from_all_others():
    residuals = [np.full((2, 20, 20, 1), 0.5), np.full((2, 20, 20, 1), 0.1)]
    residuals[0][0, 0, 0, 0] = 2.0
    assert image_rows.upper_end(residuals) == 0.5
    assert image_rows.upper_end([np.zeros((1, 2, 2, 1))]) > 0.0
    assert image_rows.upper_end([]) == 1.0
