"""One phantom volume from one seed."""

import numpy as np

from fanogan_tf.oct.phantom import anatomy, appearance, lesions
from fanogan_tf.oct.phantom.settings import PhantomSettings
from fanogan_tf.oct.phantom.speckle import speckle
from fanogan_tf.oct.volume import Volume


def make_phantom(seed: int, settings: PhantomSettings = PhantomSettings(), name: str = "") -> Volume:  # noqa: B008 (frozen)
    """A volume of one eye. The same seed and settings give the same bytes.

    Its surfaces are the boundaries `anatomy.SURFACES` (a name = where that layer ends, "ILM" = the top), exact sub-pixel rows
    in float32, with the disease's deformation in them; a pixel lies in a layer if its row is at or below the layer's top and
    above its end. Its lesions are exact too. The same seed with other lesions is the same eye, healthy or with another disease.

    Args:
      seed: not negative.
      name: the volume's name; without one, "phantom-SEED".

    Raises:
      ValueError: the retina does not fit into settings.height rows.
    """
    eye, disease_, look_, noise = np.random.default_rng(seed).spawn(4)
    spacing = settings.volume_spacing
    row_height = 1000.0 * spacing[1]
    field = anatomy.draw_field(eye, settings.bscans, settings.width, spacing)
    thickness = anatomy.draw_thickness(eye, field)
    bottom = anatomy.draw_bottom(eye, field, spacing[1])
    position = eye.random()
    disease = lesions.draw_disease(disease_, field, settings.lesions, settings.lesion_scale)
    rows = _place(lesions.swell(thickness, disease, field), bottom, position, settings.height, row_height)

    look = appearance.draw_look(look_, field, settings.height)
    shape = (settings.bscans, settings.height, settings.width)
    data, codes = np.empty(shape, np.uint8), np.zeros(shape, np.uint8)
    widths = (settings.psf[0] / spacing[1], settings.psf[1] / spacing[2])
    for scan in range(settings.bscans):
        here = rows[:, scan]
        grey = appearance.render(here, scan, field, look, disease, settings.height, row_height)
        data[scan] = appearance.to_display(grey, speckle(noise, shape[1:], settings.averaging, widths))
        lesions.paint(codes[scan], here, scan, field, disease, settings.lesions, row_height)
    return Volume(
        name=name or f"phantom-{seed}",
        data=data,
        spacing=spacing,
        eye="OD" if field.nasal > 0 else "OS",
        surfaces={surface: rows[i] for i, surface in enumerate(anatomy.SURFACES)},
        lesions=codes,
        kinds=settings.lesions,
    )


def _place(thickness: np.ndarray, bottom: np.ndarray, position: float, height: int, row_height: float) -> np.ndarray:
    """(surfaces, B, W) float32 rows: the layers stacked on Bruch's membrane, all inside the image with some margin.

    Where tilt and curvature take too much room, they are flattened.
    """
    above = np.concatenate([np.cumsum(thickness[::-1], axis=0)[::-1], np.zeros_like(thickness[:1])]) / row_height
    highest, lowest = 0.05 * height, 0.85 * height  # Room for the vitreous above and the choroid below.
    for flat in np.linspace(1.0, 0.0, 21):
        rows = flat * bottom - above
        room = (lowest - highest) - (rows.max() - rows.min())
        if room >= 0:
            # Not wherever it fits: operators keep the retina about the middle.
            top = highest + room * (0.25 + 0.4 * position)
            return (rows - rows.min() + top).astype(np.float32)
    raise ValueError(f"height {height}: the retina needs {above.max() / 0.8:.0f} rows of {row_height:.2f} um")
