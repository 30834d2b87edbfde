import numpy as np

from fanogan_tf.oct.phantom import appearance
from fanogan_tf.oct.phantom.anatomy import SURFACES, Field
from fanogan_tf.oct.phantom.lesions import Disease

FIELD = Field(x=np.linspace(-2.9, 2.9, 256), y=np.linspace(-3.0, 3.0, 25), nasal=1)


def test_vessels_leave_the_fovea_free_and_cross_scans():
    look = appearance.draw_look(np.random.default_rng(0), FIELD, 128)
    assert not look.half[FIELD.radius < 0.4].any() and np.all(look.shadow[FIELD.radius < 0.4] == 1)
    assert 16 < look.half.max() <= 52 and 0.4 < look.shadow.min() < 0.8
    assert np.all(look.shadow[look.half > 0] < 1) and look.half.any(axis=1).sum() > 12


def test_shadows_dim_what_lies_below_a_vessel_but_not_to_black():
    look = appearance.draw_look(np.random.default_rng(0), FIELD, 160)
    look.choroid[:], look.gain[:] = 0, 1
    rows = np.repeat(np.linspace(20, 120, len(SURFACES), dtype=np.float32)[:, None], 256, axis=1)
    scan = int(look.shadow.min(axis=1).argmin())
    image = appearance.render(rows, scan, FIELD, look, Disease({}), 160, 3.87)
    dark, clear = look.shadow[scan].argmin(), look.shadow[scan].argmax()
    share = (image[90:, dark] - appearance.VITREOUS) / (image[90:, clear] - appearance.VITREOUS)
    np.testing.assert_allclose(share, look.shadow[scan, dark], atol=1e-3)
    np.testing.assert_array_equal(image[:18], appearance.VITREOUS)


def test_display_is_the_square_root_of_the_amplitude():
    grey = np.array([[36.0, 100.0, 100.0, 200.0]], np.float32)
    np.testing.assert_array_equal(
        appearance.to_display(grey, np.array([[1.0, 0.25, 4.0, 4.0]], np.float32)), [[36, 50, 200, 255]]
    )
