import numpy as np
import pytest

from fanogan_tf.oct.phantom import lesions
from fanogan_tf.oct.phantom.anatomy import LAYERS, SURFACES, Field
from fanogan_tf.oct.phantom.lesions import Blob, Disease
from fanogan_tf.oct.phantom.settings import KINDS
from fanogan_tf.oct.volume import DETACHMENT, FOCI, INTRARETINAL_FLUID, SUBRETINAL_FLUID

FIELD = Field(x=(np.arange(121) - 60) * 0.05, y=(np.arange(25) - 12) * 0.25, nasal=1)
ROW = 4.0  # um


def flat(**thickness):
    """(surfaces, W) boundaries at whole numbers: every layer 10 rows, but those given."""
    steps = [0 if layer in ("SRS", "SUBRPE") else 10 for layer in LAYERS]
    for layer, rows in thickness.items():
        steps[LAYERS.index(layer)] = rows
    return np.repeat(np.concatenate([[5], 5 + np.cumsum(steps)])[:, None], 121, axis=1).astype(np.float32)


def painted(rows, disease, kinds, scan=12):
    codes = np.zeros((160, 121), np.uint8)
    lesions.paint(codes, rows, scan, FIELD, disease, kinds, ROW)
    return codes


@pytest.mark.parametrize(("kind", "space"), [(SUBRETINAL_FLUID, "SRS"), (DETACHMENT, "SUBRPE")])
def test_fluid_fills_its_space_and_nothing_else(kind, space):
    rows = flat(**{space: 7})
    codes = painted(rows, Disease({}), (kind,))
    end = SURFACES.index(space)
    assert np.all(np.flatnonzero(codes[:, 30]) == np.arange(rows[end - 1, 0], rows[end, 0]))
    assert np.all(codes == codes[:, :1]) and codes.max() == 1
    assert not painted(flat(), Disease({}), (kind,)).any()


def test_cyst_is_an_ellipsoid_in_its_layer():
    rows = flat(ELM=60)
    cyst = Blob(y=0.1, x=0.5, ry=0.5, rx=0.4, layer="ELM", place=0.5, height=0.3)
    codes = painted(rows, Disease({}, (cyst,)), (INTRARETINAL_FLUID,))
    middle = rows[SURFACES.index("OPL"), 0] + 30
    depth = (np.arange(160)[:, None] - middle) / 18.0
    expected = depth**2 + ((FIELD.x - 0.5) / 0.4) ** 2 + (0.1 / 0.5) ** 2 < 1
    np.testing.assert_array_equal(codes > 0, expected)
    # The next B-scan cuts it too, the one after does not.
    assert painted(rows, Disease({}, (cyst,)), (INTRARETINAL_FLUID,), scan=13).any()
    assert not painted(rows, Disease({}, (cyst,)), (INTRARETINAL_FLUID,), scan=15).any()


def test_codes_follow_the_order_of_the_kinds_and_fluid_hides_foci():
    rows = flat(ELM=60, SRS=10)
    cyst = Blob(0.0, 0.0, 0.5, 0.4, "ELM", 0.5, 0.3)
    spots = (Blob(0.0, 0.0, 0.1, 0.1, "ELM", 0.5, 16.0, absolute=True), Blob(0.0, 2.0, 0.1, 0.1, "ELM", 0.5, 16.0, absolute=True))
    codes = painted(rows, Disease({}, (cyst,), spots), (FOCI, SUBRETINAL_FLUID, INTRARETINAL_FLUID))
    assert set(np.unique(codes)) == {0, 1, 2, 3}
    spot = np.argwhere(codes == 1)
    assert np.all(np.abs(FIELD.x[spot[:, 1]] - 2.0) < 0.1) and np.ptp(spot[:, 0]) == 6
    assert np.all(codes[painted(rows, Disease({}, (cyst,)), (INTRARETINAL_FLUID,)) > 0] == 3)


def test_swelling_thickens_what_it_should():
    thickness = np.full((len(LAYERS), 25, 121), 30.0, np.float32)
    dome = 100.0 * np.exp(-(FIELD.y[:, None] ** 2) - FIELD.x**2)
    swollen = lesions.swell(thickness, Disease({"SUBRPE": dome, "INL": dome}), FIELD)
    assert np.all(thickness == 30)
    np.testing.assert_allclose(swollen[LAYERS.index("SUBRPE")], 30 + dome, rtol=1e-5)
    # The stiff retina is thinner over the dome; the layers below it keep their thickness.
    assert swollen[LAYERS.index("GCL"), 12, 60] < 29.8
    assert swollen[LAYERS.index("INL"), 12, 60] > 120
    assert np.all(swollen[LAYERS.index("RPE")] == 30)


@pytest.mark.parametrize("kind", KINDS)
def test_lesions_vary_and_grow_with_the_scale(kind):
    def draw(seed, scale=(1.0, 1.0), kinds=(kind,)):
        return lesions.draw_disease(np.random.default_rng(seed), FIELD, kinds, scale)

    def size(disease):
        blobs = disease.cysts + disease.foci
        return np.mean([blob.rx for blob in blobs]) if blobs else sum((extra > 0).sum() for extra in disease.extra.values())

    sizes = [size(draw(seed)) for seed in range(8)]
    assert min(sizes) > 0 and len(set(sizes)) > 4
    assert np.mean([size(draw(seed, (2.0, 2.0))) for seed in range(8)]) > 1.4 * np.mean(sizes)
    # The other kinds change nothing about this one, but that foci gather at cysts.
    if kind != FOCI:
        assert draw(3).cysts == draw(3, kinds=(kind, DETACHMENT)).cysts


def test_no_kinds_no_disease():
    disease = lesions.draw_disease(np.random.default_rng(0), FIELD, (), (1.0, 1.0))
    assert not disease.extra and not disease.cysts and not disease.foci
