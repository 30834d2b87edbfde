"""The time to find the retina's surfaces, and their error on phantoms: python benchmarks/oct_surfaces.py

Times are interleaved in one process; the peak memory of each method is measured in a process of its own.
"""

import command
import harness
import numpy as np

from fanogan_tf.oct import geometry
from fanogan_tf.oct.phantom import PhantomSettings, make_phantom
from fanogan_tf.oct.preparation import Preparation, prepare
from fanogan_tf.oct.surfaces.find import METHODS, find_surfaces
from fanogan_tf.oct.volume import BOTTOM, DETACHMENT, FOCI, INTRARETINAL_FLUID, SUBRETINAL_FLUID, TOP, Volume

WHAT = (
    "Seconds and peak memory of finding the retina's top and bottom in a synthetic phantom volume (B-scans x rows x columns), "
    "and the errors in pixels of 3.87 um against the phantom's own surfaces. 256 columns: means of pairs. The settings were "
    "chosen on other seeds; only that stiffness must scale with the distance of B-scans was seen on seed 2000, with 5 B-scans."
)
LESIONS = {"healthy": (), "diseased": (INTRARETINAL_FLUID, SUBRETINAL_FLUID, DETACHMENT, FOCI)}
SEEDS = range(2000, 2004)


def phantom(seed: int, state: str, bscans: int, width: int) -> Volume:
    """Makes a phantom volume of 512 columns, or of fewer, which are means of neighbours."""
    volume = make_phantom(seed, PhantomSettings(bscans=bscans, lesions=LESIONS[state]))
    if width == volume.data.shape[2]:
        return volume
    scan, row, column = volume.spacing
    surfaces = {name: geometry.mean(volume.surfaces[name], width) for name in (TOP, BOTTOM)}
    return Volume(
        volume.name, geometry.mean(volume.data, width), (scan, row, column * volume.data.shape[2] / width), "", surfaces
    )


def errors(wrong: list[np.ndarray]) -> dict[str, float]:
    """Summarises the differences found - true, in pixels."""
    wrong = np.concatenate([part.ravel() for part in wrong])
    size = np.abs(wrong)
    figures = {"mean_absolute": size.mean(), "percentile_95": np.percentile(size, 95), "most": size.max(), "mean": wrong.mean()}
    return {name: round(float(figure), 3) for name, figure in figures.items()}


def exactness(seeds: list[int], bscans: int, width: int) -> list[dict]:
    rows = []
    for state in LESIONS:
        volumes = [phantom(seed, state, bscans, width) for seed in seeds]
        for method in METHODS:
            found = [find_surfaces(volume.data, volume.spacing, method) for volume in volumes]
            pairs = list(zip(found, volumes, strict=True))
            rows.append(
                {
                    "method": method,
                    "state": state,
                    "columns": width,
                    "seeds": seeds,
                    "top": errors([surfaces.top - volume.surfaces[TOP] for surfaces, volume in pairs]),
                    "bottom": errors([surfaces.bottom - volume.surfaces[BOTTOM] for surfaces, volume in pairs]),
                    "b_scans_without_surfaces": sum(len(surfaces.problems) for surfaces in found),
                }
            )
    return rows


def measure(method: str, bscans: int, width: int) -> dict:
    """Measures the peak memory of one volume in this process, and the memory before, with the volume loaded."""
    volume = phantom(SEEDS[0], "diseased", bscans, width)
    before = command.peak_memory_gb()
    find_surfaces(volume.data, volume.spacing, method)
    return {"peak_memory_gb": command.peak_memory_gb(), "before_work_gb": before}


def cost(bscans: int, width: int, rounds: int) -> list[dict]:
    volume = phantom(SEEDS[0], "diseased", bscans, width)
    forms = {method: lambda method=method: find_surfaces(volume.data, volume.spacing, method) for method in METHODS}
    seconds = harness.interleaved(forms, rounds, warm=1)
    size = {"volume": "x".join(map(str, volume.data.shape))}
    return [
        {"method": method, **size, "seconds": harness.summary(seconds[method])}
        | command.alone(method=method, bscans=bscans, width=width)
        for method in METHODS
    ]


def preparation(bscans: int, rounds: int) -> dict:
    """Times the whole preparation without the search: the surfaces come with the volume."""
    volume = phantom(SEEDS[0], "diseased", bscans, 512)
    without_search = Preparation(surfaces="file")
    seconds = harness.interleaved({"prepare": lambda: prepare(volume, without_search)}, rounds, warm=1)
    return {"volume": "x".join(map(str, volume.data.shape)), "seconds_without_search": harness.summary(seconds["prepare"])}


def run(quick: bool) -> dict:
    bscans, seeds, rounds = (5, [SEEDS[0]], 1) if quick else (49, list(SEEDS), 5)
    widths = [512] if quick else [512, 256]
    return {
        "cost": [row for width in widths for row in cost(bscans, width, rounds)],
        "preparation": preparation(bscans, rounds),
        "exactness": [row for width in widths for row in exactness(seeds, bscans, width)],
    }


if __name__ == "__main__":
    command.main("oct_surfaces", WHAT, run, measure)
