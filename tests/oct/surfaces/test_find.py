import numpy as np
import pytest

from fanogan_tf.oct.phantom import PhantomSettings, make_phantom
from fanogan_tf.oct.surfaces.find import METHODS, find_surfaces
from fanogan_tf.oct.volume import BOTTOM, DETACHMENT, INTRARETINAL_FLUID, SUBRETINAL_FLUID, TOP

pytestmark = pytest.mark.slow

SPACING = (0.123, 0.00387, 0.0227)
BOTH = pytest.mark.parametrize("method", sorted(METHODS))


def toy(top, thickness=80.0, noise=0.0, height=256, fluid=0.0, detached=0.0):
    """A retina of four layers below `top` (B, W): uint8 volume, and its bottom.

    fluid, detached: (B, W) heights of what lifts the retina off the epithelium, and the epithelium off the membrane.
    """
    bottom = top + thickness
    lifted = fluid + detached
    image = np.full((*top.shape, height), 30.0)
    depth = np.arange(height)
    layers = [(top - lifted, 150.0), (top - lifted + 15, 115.0), (top - lifted + 35, 80.0), (bottom - lifted - 14, 190.0)]
    layers += [(bottom - lifted - 5, 40.0), (bottom - detached - 5, 205.0), (bottom - detached, 75.0)]
    layers += [(bottom, 130.0), (bottom + 70, 60.0)]
    for start, grey in layers:
        share = np.clip(depth - start[..., None] + 0.5, 0, 1)  # Of a pixel that lies below the boundary.
        image += share * (grey - image)
    image *= 1 + noise * np.random.default_rng(0).normal(size=image.shape)
    return np.clip(np.rint(image.swapaxes(1, 2)), 0, 255).astype(np.uint8), bottom


def line(scans=4, width=96, tilt=0.0, start=70.0):
    return start + tilt * np.arange(width) + np.zeros((scans, 1))


@BOTH
@pytest.mark.parametrize("tilt", [0.0, 0.4, -0.4])
@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_finds_level_and_tilted_surfaces(method, tilt, noise):
    top = line(tilt=tilt, start=110.0 if tilt < 0 else 70.0)
    data, bottom = toy(top, noise=noise)
    found = find_surfaces(data, SPACING, method)
    assert found.problems == {}
    assert found.top.dtype == found.bottom.dtype == np.float32 and found.top.shape == found.bottom.shape == top.shape
    allowed = 1.0 if noise else 0.4
    assert np.abs(found.top - top).max() < allowed
    assert np.abs(found.bottom - bottom).max() < 2 * allowed


@BOTH
@pytest.mark.parametrize("kind", ["fluid", "detached"])
def test_bottom_stays_below_what_lifts_the_retina(method, kind):
    top = line(scans=6, width=256, start=110.0)
    dome = np.zeros_like(top)
    dome[1:5, 100:150] = 45.0 * np.sin(np.linspace(0, np.pi, 50))
    data, bottom = toy(top, noise=0.1, **{kind: dome})
    found = find_surfaces(data, SPACING, method)
    top_wrong, bottom_wrong = np.abs(found.top - (top - dome)), np.abs(found.bottom - bottom)
    assert top_wrong.mean() < 0.5 and np.percentile(top_wrong, 95) < 2.0
    # The dome's foot is sharper than the search may follow; under the dome the membrane itself is seen again.
    assert bottom_wrong.mean() < 0.5 and bottom_wrong[1:5, 115:135].max() < 2.0


@BOTH
def test_same_result_for_other_types_and_scales_of_grey(method):
    data, _ = toy(line(), noise=0.1)
    expected = find_surfaces(data, SPACING, method)
    for other in (data.astype(np.uint16) * 200, data.astype(np.float32) / 255 - 0.5):
        found = find_surfaces(other, SPACING, method)
        np.testing.assert_allclose(found.top, expected.top, atol=0.05)
        np.testing.assert_allclose(found.bottom, expected.bottom, atol=0.05)


@BOTH
def test_retina_at_the_upper_border(method):
    top = line(start=6.0)
    data, bottom = toy(top, noise=0.1)
    found = find_surfaces(data, SPACING, method)
    assert np.abs(found.top - top).max() < 1.0 and np.abs(found.bottom - bottom).max() < 2.0


@BOTH
def test_bad_b_scans_are_named_and_do_not_spoil_the_others(method):
    top = line(scans=6, tilt=0.2)
    data, bottom = toy(top, noise=0.1)
    data[1] = 0
    data[4] = np.random.default_rng(0).integers(0, 256, data[4].shape)
    found = find_surfaces(data, SPACING, method)
    assert found.problems == {1: "all pixels have one value", 4: "no bright band between dark ones"}
    assert np.isnan(found.top[[1, 4]]).all() and np.isnan(found.bottom[[1, 4]]).all()
    good = [0, 2, 3, 5]
    assert np.abs(found.top - top)[good].max() < 1.0 and np.abs(found.bottom - bottom)[good].max() < 2.0


@pytest.mark.parametrize("kind", ["white", "rayleigh", "ramp down", "ramp up", "one hot pixel"])
def test_what_is_no_retina_is_reported(kind):
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 100, 256, dtype=np.float32)[None, :, None]
    data = rng.normal(size=(2, 256, 96)).astype(np.float32)
    if kind == "rayleigh":
        data = rng.rayleigh(size=data.shape).astype(np.float32)
    elif kind == "one hot pixel":
        data = np.zeros_like(data)
        data[:, 100, 50] = 1.0
    elif kind.startswith("ramp"):
        data += ramp if kind.endswith("down") else ramp[:, ::-1]
    found = find_surfaces(data, SPACING, "shortest_path")
    assert found.problems == {0: "no bright band between dark ones", 1: "no bright band between dark ones"}
    assert np.isnan(found.top).all() and np.isnan(found.bottom).all()


@BOTH
def test_nothing_but_blank_b_scans(method):
    found = find_surfaces(np.zeros((3, 64, 64), np.uint8), SPACING, method)
    assert sorted(found.problems) == [0, 1, 2] and np.isnan(found.top).all()


@BOTH
def test_one_narrow_b_scan(method):
    top = line(scans=1, width=3)
    data, bottom = toy(top)
    found = find_surfaces(data, SPACING, method)
    assert np.abs(found.top - top).max() < 1.0 and np.abs(found.bottom - bottom).max() < 2.0


def test_unknown_method():
    with pytest.raises(ValueError, match="graph_cut, shortest_path"):
        find_surfaces(np.zeros((1, 8, 8), np.uint8), SPACING, "magic")


@pytest.fixture(scope="module", params=[(), (INTRARETINAL_FLUID, SUBRETINAL_FLUID, DETACHMENT)], ids=["healthy", "diseased"])
def phantom(request):
    return make_phantom(3, PhantomSettings(bscans=17, lesions=request.param))


@BOTH
def test_phantom_with_and_without_fluid_and_detachments(method, phantom):
    found = find_surfaces(phantom.data, phantom.spacing, method)
    assert found.problems == {}
    for rows, name, allowed in ((found.top, TOP, 0.5), (found.bottom, BOTTOM, 1.5)):
        wrong = np.abs(rows - phantom.surfaces[name])
        assert wrong.mean() < allowed and np.percentile(wrong, 95) < 4 * allowed
