"""An OCT volume as a scanner, or the phantom, gives it."""

import dataclasses

import numpy as np

# Kinds of lesion. Fluid makes a patch anomalous (f-AnoGAN, section 3); foci are told apart, as nobody's mask has them.
INTRARETINAL_FLUID = "intraretinal_fluid"
SUBRETINAL_FLUID = "subretinal_fluid"
DETACHMENT = "pigment_epithelium_detachment"
FOCI = "hyperreflective_foci"
FLUID = (INTRARETINAL_FLUID, SUBRETINAL_FLUID, DETACHMENT)

# Names of the two surfaces that the preparation needs: inner limiting membrane and Bruch's membrane (or, without it, the RPE).
TOP, BOTTOM = "ILM", "BM"


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """Parallel B-scans of one eye.

    name: what the volume is called in tables, unique in a data set; usually its path below the data set's root.
    data: (B, H, W) uint8, uint16 or float32, finite grey values; B B-scans of H rows (depth, vitreous first) and W columns.
    spacing: millimetres between (B-scans, rows, columns).
    eye: "OD" (right), "OS" (left) or "" where unknown.
    surfaces: name -> (B, W) float32, the row of that surface in each column, NaN where unknown; "ILM" is the top of the
      retina, "BM" its bottom. Further layer boundaries may be there under other names. {} where the file has none.
    lesions: (B, H, W) uint8, 0 = none, k = a pixel of `kinds[k - 1]`; None where nobody has looked for lesions.
    kinds: names of the lesion kinds.

    Raises:
      ValueError: the arrays do not fit together.
    """

    name: str
    data: np.ndarray
    spacing: tuple[float, float, float]
    eye: str = ""
    surfaces: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    lesions: np.ndarray | None = None
    kinds: tuple[str, ...] = ()

    def __post_init__(self):
        if self.data.ndim != 3 or self.data.dtype not in (np.uint8, np.uint16, np.float32):
            raise ValueError(f"data must be (B, H, W) uint8, uint16 or float32, not {self.data.shape} {self.data.dtype}")
        scans, _, width = self.data.shape
        for name, rows in self.surfaces.items():
            if rows.shape != (scans, width) or rows.dtype != np.float32:
                raise ValueError(f"surface {name} must be ({scans}, {width}) float32, not {rows.shape} {rows.dtype}")
        if self.lesions is not None and (self.lesions.shape != self.data.shape or self.lesions.dtype != np.uint8):
            raise ValueError(f"lesions must be {self.data.shape} uint8, not {self.lesions.shape} {self.lesions.dtype}")
        if len(self.spacing) != 3 or self.eye not in ("OD", "OS", ""):
            raise ValueError(f"spacing {self.spacing} must be three numbers and eye {self.eye!r} OD, OS or empty")
