import numpy as np
import pytest

from fanogan_tf.oct.phantom import anatomy

SPACING = (0.246, 0.00387, 0.04532)
EYES = 60


def eye(seed, scans=25, width=128):
    rng = np.random.default_rng(seed)
    field = anatomy.draw_field(rng, scans, width, SPACING)
    return field, anatomy.draw_thickness(rng, field)


@pytest.fixture(scope="module")
def means():
    """(eyes, layers) um in the central 1 mm, and from 1 to 3 mm."""
    middle, ring = [], []
    for field, thickness in map(eye, range(EYES)):
        middle.append(thickness[:, field.radius < 0.5].mean(axis=1))
        ring.append(thickness[:, (field.radius >= 0.5) & (field.radius < 1.5)].mean(axis=1))
    return np.array(middle), np.array(ring)


def test_total_thickness_is_as_measured(means):
    middle, ring = (part.sum(axis=1) for part in means)
    # Measured: 257 +- 19 and 340 +- 17 um; the measured layers of the fovea add up to 258.8.
    assert middle.mean() == pytest.approx(257, abs=7) and ring.mean() == pytest.approx(340, abs=6)
    assert middle.std() == pytest.approx(19, rel=0.3) and ring.std() == pytest.approx(17, rel=0.35)


@pytest.mark.parametrize(
    ("layer", "fovea", "ring"),
    [
        ("RNFL", 10.8, 20.1),
        ("GCL", 12.3, 50.1),
        ("IPL", 18.3, 42.3),
        ("INL", 15.3, 38.5),
        ("OPL", 23.5, 31.9),
        ("ELM", 88.4, 72.5),
    ],
)
def test_layers_are_as_measured(means, layer, fovea, ring):
    at = anatomy.LAYERS.index(layer)
    # Three standard errors over these eyes, and 1.5 um for the layers that cannot thin out to nothing.
    assert means[0][:, at].mean() == pytest.approx(fovea, abs=float(1.5 + 3 * means[0][:, at].std() / EYES**0.5))
    assert means[1][:, at].mean() == pytest.approx(ring, abs=float(1.5 + 3 * means[1][:, at].std() / EYES**0.5))


def test_healthy_layers_have_thickness_and_the_spaces_none():
    for seed in range(10):
        _, thickness = eye(seed)
        for layer, values in zip(anatomy.LAYERS, thickness, strict=True):
            assert values.max() == 0 if layer in ("SRS", "SUBRPE") else values.min() >= 2


def test_pit_is_the_thinnest_place():
    for seed in range(10):
        field, thickness = eye(seed)
        total = np.where(field.radius < 2.0, thickness.sum(axis=0), np.inf)
        assert field.radius.flat[total.argmin()] < 0.3


def test_nerve_fibres_are_thicker_nasally_in_either_eye():
    signs = set()
    for seed in range(12):
        field, thickness = eye(seed)
        fibres = thickness[0].mean(axis=0)
        assert fibres[field.nasal * field.x > 1.5].mean() > fibres[field.nasal * field.x < -1.5].mean() + 4
        signs.add(field.nasal)
    assert signs == {1, -1}


def test_waves_have_unit_deviation():
    field = anatomy.Field(x=np.linspace(-3, 3, 40), y=np.linspace(-3, 3, 20), nasal=1)
    rng = np.random.default_rng(0)
    values = np.stack([anatomy.waves(rng, field, 1.0) for _ in range(200)])
    assert values.std() == pytest.approx(1.0, abs=0.1)
    assert np.abs(np.diff(values, axis=2)).max() < 6.5 * 6 / 39 * 6 / 3**0.5


def test_the_eye_moves_about_one_row_between_scans():
    field = anatomy.Field(x=np.zeros(1), y=np.zeros(400), nasal=1)
    rows = anatomy.draw_bottom(np.random.default_rng(0), field, 0.00387)
    assert rows.std() == pytest.approx(1.0, abs=0.25)
