import itertools

import numpy as np
import pytest

from fanogan_tf.oct.phantom import PhantomSettings, make_phantom
from fanogan_tf.oct.phantom.anatomy import SURFACES
from fanogan_tf.oct.phantom.settings import KINDS
from fanogan_tf.oct.volume import BOTTOM, DETACHMENT, FOCI, INTRARETINAL_FLUID, SUBRETINAL_FLUID, TOP

# A quarter of the columns over the whole width.
SMALL = {"bscans": 25, "width": 128, "spacing": (0.123, 0.00387, 0.04532), "averaging": 4}


def small(seed=0, **changes):
    return make_phantom(seed, PhantomSettings(**SMALL | changes))


@pytest.fixture(scope="module")
def healthy():
    return small()


@pytest.fixture(scope="module")
def diseased():
    return {kind: small(lesions=(kind,)) for kind in KINDS}


def test_healthy_volume(healthy):
    assert healthy.name == "phantom-0" and make_phantom(0, PhantomSettings(bscans=1, width=8), "a/b").name == "a/b"
    assert healthy.data.shape == (25, 496, 128) and healthy.data.dtype == np.uint8
    assert healthy.spacing == pytest.approx((0.24108, 0.00387, 0.04532)) and healthy.eye in ("OD", "OS")
    assert healthy.kinds == () and not healthy.lesions.any()
    assert tuple(healthy.surfaces) == SURFACES and {TOP, BOTTOM} <= set(SURFACES)


def test_surfaces_are_in_order_and_inside(healthy, diseased):
    for volume in (healthy, *diseased.values()):
        rows = np.stack(list(volume.surfaces.values()))
        assert np.all(np.diff(rows, axis=0) >= -1e-4)
        assert rows.min() > 20 and rows.max() < 496 - 60


def test_same_seed_same_bytes(healthy):
    again = small()
    np.testing.assert_array_equal(again.data, healthy.data)
    for name, rows in again.surfaces.items():
        np.testing.assert_array_equal(rows, healthy.surfaces[name])
    assert not np.array_equal(small(1).data, healthy.data)


def between(volume, top, bottom):
    """The grey values well inside a layer."""
    at = np.arange(volume.data.shape[1])[None, :, None]
    inside = (at > volume.surfaces[top][:, None] + 1) & (at < volume.surfaces[bottom][:, None] - 1)
    return volume.data[inside & (volume.lesions == 0)].mean()


def test_layers_have_their_brightness(healthy):
    grey = {end: between(healthy, top, end) for top, end in itertools.pairwise(SURFACES) if end not in ("SRS", "SUBRPE", "BM")}
    vitreous = healthy.data[:, :20].mean()
    assert vitreous < 45 < grey["ELM"] - 20
    assert grey["ELM"] < grey["INL"] < grey["GCL"] < grey["RNFL"]
    assert grey["INL"] < grey["OPL"] < grey["EZ"] and grey["RPE"] == max(grey.values())
    at, bottom = np.arange(496)[None, :, None], healthy.surfaces["BM"][:, None]
    near, far = (healthy.data[(at > bottom + a) & (at < bottom + b)].mean() for a, b in ((3, 15), (70, 90)))
    assert near > far > vitreous


@pytest.mark.parametrize("kind", KINDS)
def test_lesions_are_there_and_look_like_it(healthy, diseased, kind):
    volume = diseased[kind]
    assert volume.kinds == (kind,) and set(np.unique(volume.lesions)) == {0, 1}
    inside = volume.data[volume.lesions == 1].mean()
    if kind == FOCI:
        assert inside > 150
    else:
        assert inside < 90
        assert np.count_nonzero(volume.lesions.any(axis=(1, 2))) > 2


def test_other_lesions_same_eye(healthy, diseased):
    for volume in diseased.values():
        assert volume.eye == healthy.eye
    # Foci move nothing.
    for name, rows in diseased[FOCI].surfaces.items():
        np.testing.assert_array_equal(rows, healthy.surfaces[name])


def thickness(volume, top, bottom):
    return volume.surfaces[bottom] - volume.surfaces[top]


def test_disease_moves_the_surfaces(healthy, diseased):
    fluid = diseased[SUBRETINAL_FLUID]
    lifted = thickness(fluid, "OS", "SRS")
    # Every pixel of the mask is one row of the space, give or take the rounding of its two ends.
    assert np.abs(fluid.lesions.sum(axis=1) - lifted).max() <= 1.0 and lifted.max() > 15
    np.testing.assert_allclose(thickness(fluid, "SRS", "BM"), thickness(healthy, "SRS", "BM"), atol=1e-3)

    detached = diseased[DETACHMENT]
    lifted = thickness(detached, "RPE", "SUBRPE")
    assert np.abs(detached.lesions.sum(axis=1) - lifted).max() <= 1.0 and lifted.max() > 15
    np.testing.assert_allclose(thickness(detached, "OS", "RPE"), thickness(healthy, "OS", "RPE"), atol=1e-3)
    np.testing.assert_allclose(thickness(detached, "SUBRPE", "BM"), thickness(healthy, "SUBRPE", "BM"), atol=1e-3)

    oedema = thickness(diseased[INTRARETINAL_FLUID], TOP, BOTTOM) - thickness(healthy, TOP, BOTTOM)
    assert oedema.min() > -1e-3 and oedema.max() * 3.87 > 90


def test_cysts_stay_between_the_plexiform_layer_and_the_limiting_membrane(diseased):
    volume = diseased[INTRARETINAL_FLUID]
    scan, row, column = np.nonzero(volume.lesions)
    assert np.all(row > volume.surfaces["IPL"][scan, column]) and np.all(row < volume.surfaces["ELM"][scan, column])


@pytest.mark.parametrize(
    "settings", [{"bscans": 1}, {"bscans": 3, "width": 16}, {"bscans": 5, "width": 1}, {"height": 300, "bscans": 5}]
)
def test_small_volumes_have_every_kind(settings):
    volume = small(5, lesions=KINDS, **settings)
    wide = settings.get("width", 128) > 1
    assert not wide or set(np.unique(volume.lesions)) == {0, 1, 2, 3, 4}


def test_height_too_small_is_refused():
    with pytest.raises(ValueError, match="height 64"):
        small(height=64)


def test_nothing_else_is_drawn_over_fluid():
    # KINDS begins with the two dark fluids; vessels, foci and walls must not reach into them.
    volume = small(3, lesions=KINDS, averaging=64)
    fluid = (volume.lesions > 0) & (volume.lesions < 3)
    inner = fluid[:, 2:-2] & fluid[:, 4:] & fluid[:, :-4]
    assert volume.data[:, 2:-2][inner].max() < 70
