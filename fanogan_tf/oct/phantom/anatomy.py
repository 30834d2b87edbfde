"""The healthy macula: how thick each layer is, and where the retina lies in the volume.

Layer thicknesses: BMC Ophthalmology 2018;18:169, table 6, mean and standard deviation at the fovea (taken as the central 1 mm)
and in the nasal pericentral ring (taken as 1 to 3 mm in diameter). All else here is assumed, and said so where it is.
"""

import dataclasses

import numpy as np
from scipy import ndimage

# Boundaries from the vitreous down. A name is the boundary where that layer ENDS, but for ILM, the top of the retina.
# ELM ends the outer nuclear layer; MZ and EZ are the myoid and ellipsoid zones, OS the outer segments. SRS (subretinal space)
# and SUBRPE (the space under the RPE) have no thickness in a healthy eye.
SURFACES = ("ILM", "RNFL", "GCL", "IPL", "INL", "OPL", "ELM", "MZ", "EZ", "OS", "SRS", "RPE", "SUBRPE", "BM")
LAYERS = SURFACES[1:]

# um: (mean, sd) at the fovea, (mean, sd) in the ring.
_MEASURED = {
    "RNFL": ((10.8, 2.2), (20.1, 2.3)),
    "GCL": ((12.3, 3.2), (50.1, 6.0)),
    "IPL": ((18.3, 2.9), (42.3, 3.8)),
    "INL": ((15.3, 4.6), (38.5, 4.1)),
    "OPL": ((23.5, 6.1), (31.9, 8.3)),
    "ELM": ((88.4, 11.4), (72.5, 11.5)),
    "outer": ((90.2, 4.4), (83.9, 3.3)),  # Photoreceptors and RPE, from the ELM to Bruch's membrane.
    "RPE": ((17.5, 2.2), (16.3, 2.0)),  # With Bruch's membrane.
}
_MEMBRANE = 3.0  # um, Bruch's membrane; assumed.
_MYOID, _ELLIPSOID = 0.30, 0.20  # Shares of the photoreceptor's length below the ELM; assumed.
_THINNEST = 2.0  # um; layers thin out in the pit but their boundaries never cross.

# The layers' deviations at the fovea share this part, so that the total varies by 19 um as measured, not by 15.
_SHARED = 0.133
_SPREAD = 2.2  # Deviations are cut off here, in standard deviations.


@dataclasses.dataclass(frozen=True, eq=False)
class Field:
    """Where the voxels lie. x (W,), y (B,): mm from the fovea, x growing with the columns. nasal: the sign of x nasally."""

    x: np.ndarray
    y: np.ndarray
    nasal: int

    @property
    def radius(self) -> np.ndarray:
        """(B, W) mm from the fovea."""
        return np.hypot(self.y[:, None], self.x[None, :])


def draw_field(rng: np.random.Generator, scans: int, width: int, spacing: tuple[float, float, float]) -> Field:
    """A right or left eye that fixates within about 0.2 mm of the middle."""
    nasal = 1 if rng.random() < 0.5 else -1
    off_y, off_x = rng.normal(0.0, 0.1, 2).clip(-0.25, 0.25)
    return Field(
        x=(np.arange(width) - (width - 1) / 2) * spacing[2] - off_x,
        y=(np.arange(scans) - (scans - 1) / 2) * spacing[0] - off_y,
        nasal=nasal,
    )


def draw_thickness(rng: np.random.Generator, field: Field) -> np.ndarray:
    """(layers, B, W) um: the thickness of every layer of LAYERS at every place of one healthy eye."""
    # The pit's half width and steepness, and how fast the retina thins outside the ring; assumed.
    pit, power, far = rng.uniform(0.55, 0.75), rng.uniform(2.0, 2.8), rng.uniform(5.0, 6.5)
    rise = _Rise(pit, power, far)
    radius = field.radius
    share = rise(radius)

    drawn = {}
    common = rng.normal()
    for name, ((fovea, fovea_sd), (ring, ring_sd)) in _MEASURED.items():
        both, own_fovea, own_ring = rng.normal(size=3)
        at_fovea = np.sqrt(1 - _SHARED) * (0.6 * both + 0.8 * own_fovea) + np.sqrt(_SHARED) * common
        at_ring = 0.6 * both + 0.8 * own_ring
        level, slope = rise.fit(
            fovea + fovea_sd * np.clip(at_fovea, -_SPREAD, _SPREAD), ring + ring_sd * np.clip(at_ring, -_SPREAD, _SPREAD)
        )
        drawn[name] = (level + slope * share) * (1.0 + 0.04 * waves(rng, field, 1.0))

    drawn["RNFL"] = _nerve_fibres(drawn["RNFL"], field)
    receptors = drawn["outer"] - drawn["RPE"]
    zero = np.zeros_like(radius)
    drawn |= {
        "MZ": _MYOID * receptors,
        "EZ": _ELLIPSOID * receptors,
        "OS": (1 - _MYOID - _ELLIPSOID) * receptors,
        "SRS": zero,
        "RPE": drawn["RPE"] - _MEMBRANE,
        "SUBRPE": zero,
        "BM": zero + _MEMBRANE,
    }
    fixed = ("SRS", "SUBRPE", "BM")
    return np.stack([drawn[n] if n in fixed else _at_least(drawn[n], _THINNEST) for n in LAYERS]).astype(np.float32)


def draw_bottom(rng: np.random.Generator, field: Field, row_height: float) -> np.ndarray:
    """(B, W) rows of Bruch's membrane about 0: tilt, the eye's curvature, slow waves, and the eye's motion between B-scans.

    All assumed: tilt 0.04 mm/mm sd, 60 +- 50 um of sag at 3 mm, waves of 6 um, motion of 1 row sd.
    """
    tilt_x, tilt_y = rng.normal(0.0, 0.04, 2).clip(-0.1, 0.1)
    sag = rng.normal(0.060, 0.050, 2).clip(-0.06, 0.18)
    y, x = field.y[:, None], field.x[None, :]
    depth = tilt_x * x + tilt_y * y - sag[0] * (x / 3.0) ** 2 - sag[1] * (y / 3.0) ** 2 + 0.006 * waves(rng, field, 1.5)
    motion = ndimage.gaussian_filter1d(rng.normal(size=len(field.y)), 0.7, mode="nearest") * 1.6
    return depth / row_height + motion[:, None]


def waves(rng: np.random.Generator, field: Field, shortest: float) -> np.ndarray:
    """(B, W) smooth random variation, sd 1 over many draws, of wavelengths from `shortest` mm to 6 mm."""
    total = np.zeros((len(field.y), len(field.x)))
    for _ in range(6):
        turn, phase = rng.uniform(0.0, 2 * np.pi, 2)
        number = 2 * np.pi / np.exp(rng.uniform(np.log(shortest), np.log(6.0)))
        across, along = number * np.sin(turn) * field.y, number * np.cos(turn) * field.x + phase
        # cos(a + b) by its addition theorem: two outer products instead of a cosine per place.
        total += np.outer(np.cos(across), np.cos(along)) - np.outer(np.sin(across), np.sin(along))
    return total / np.sqrt(3.0)


class _Rise:
    """How a thickness goes from the fovea, 0, to the ring and slowly back outside: a function of the distance in mm."""

    def __init__(self, pit: float, power: float, far: float):
        self._pit, self._power, self._far = pit, power, far
        middle, ring = np.linspace(0.0, 0.5, 200), np.linspace(0.5, 1.5, 200)
        # Means over areas: weighed by the radius.
        self._middle, self._ring = (float(np.average(self(radius), weights=radius)) for radius in (middle, ring))

    def __call__(self, radius: np.ndarray) -> np.ndarray:
        return (1.0 - np.exp(-((radius / self._pit) ** self._power))) * np.exp(-((radius / self._far) ** 2))

    def fit(self, fovea: float, ring: float) -> tuple[float, float]:
        """(level, slope): level + slope * rise has the mean `fovea` over the central 1 mm and `ring` from 1 to 3 mm."""
        slope = (ring - fovea) / (self._ring - self._middle)
        return fovea - slope * self._middle, slope


def _nerve_fibres(thickness: np.ndarray, field: Field) -> np.ndarray:
    """Fewer fibres temporally, and more towards the disc and the arcades; the amounts are assumed."""
    radius = field.radius
    nasally = field.nasal * field.x[None, :] + 0.0 * field.y[:, None]
    upwards = (field.y[:, None] / np.maximum(radius, 1e-6)) ** 2
    towards = 0.15 + 0.6 * upwards + 0.6 * np.clip(nasally / 3.0, 0.0, 1.0) ** 1.5
    temporal = 0.1 * (1.0 - np.tanh(nasally / 0.5)) * (1.0 - np.exp(-((radius / 0.6) ** 2)))
    return thickness * (1.0 - temporal) + 26.0 * towards * (1.0 - np.exp(-((radius / 2.4) ** 3)))


def _at_least(values: np.ndarray, lowest: float) -> np.ndarray:
    """Smoothly kept above `lowest`: the softplus, whose knee is as wide as `lowest`."""
    return lowest + np.logaddexp(0.0, (values - lowest) / (0.5 * lowest)) * (0.5 * lowest)
