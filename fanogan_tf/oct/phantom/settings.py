"""The settings of one phantom volume."""

import dataclasses
import math

from fanogan_tf.oct.volume import DETACHMENT, FOCI, INTRARETINAL_FLUID, SUBRETINAL_FLUID

KINDS = (INTRARETINAL_FLUID, SUBRETINAL_FLUID, DETACHMENT, FOCI)

# B-scans of the raster whose spacing `PhantomSettings.spacing` is.
_RASTER = 49


@dataclasses.dataclass(frozen=True)
class PhantomSettings:
    """One phantom. The defaults are the macular raster of f-AnoGAN, section 3 (Spectralis, 49 B-scans of 496 x 512).

    bscans: B-scans of the volume. They always span the same 6 mm: with other than 49, the distance between them scales.
    height, width: rows and columns of a B-scan. Fewer columns look at a narrower part around the fovea.
    spacing: mm between (B-scans of a raster of 49, rows, columns).
    averaging: independent speckle patterns averaged per B-scan. 9 is assumed: scanners average some 9 to 25 frames, which are
      not wholly independent.
    psf: full width at half maximum, mm, of the intensity point spread along (rows, columns), which correlates the speckle;
      0 = none. 7 um is the usual axial resolution in tissue, 14 um the lateral one.
    lesions: kinds of lesions in this eye, named as in `volume.py`; () = healthy. In this order they get the codes 1, 2, ...
    lesion_scale: range of the factor on the typical lesion diameters, drawn evenly for every lesion.

    Raises:
      ValueError: a value that no phantom can be made with.
    """

    bscans: int = 49
    height: int = 496
    width: int = 512
    spacing: tuple[float, float, float] = (0.123, 0.00387, 0.01133)
    averaging: int = 9
    psf: tuple[float, float] = (0.007, 0.014)
    lesions: tuple[str, ...] = ()
    lesion_scale: tuple[float, float] = (0.8, 1.25)

    def __post_init__(self):
        if min(self.bscans, self.height, self.width, self.averaging) < 1:
            raise ValueError("bscans, height, width and averaging must be at least 1")
        if len(self.spacing) != 3 or not all(0 < step < math.inf for step in self.spacing):
            raise ValueError(f"spacing {self.spacing} must be three positive numbers")
        if len(self.psf) != 2 or not all(0 <= width < math.inf for width in self.psf):
            raise ValueError(f"psf {self.psf} must be two numbers, none negative")
        if len(set(self.lesions)) < len(self.lesions) or not set(self.lesions) <= set(KINDS):
            raise ValueError(f"lesions {self.lesions} must be different kinds among {', '.join(KINDS)}")
        if len(self.lesion_scale) != 2 or not 0 < self.lesion_scale[0] <= self.lesion_scale[1] < math.inf:
            raise ValueError(f"lesion_scale {self.lesion_scale} must be a range of positive factors")

    @property
    def volume_spacing(self) -> tuple[float, float, float]:
        """Mm between the (B-scans, rows, columns) of the volume that is made."""
        return (self.spacing[0] * _RASTER / self.bscans, *self.spacing[1:])
