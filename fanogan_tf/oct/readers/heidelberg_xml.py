"""Heidelberg HEYEX export as XML with one image per B-scan.

Read without eyepy's reader, which fails without the fundus image, takes any laterality but R for a left eye and remembers files
by their path; our tests compare the two. B-scans keep the file's order and direction.
"""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from fanogan_tf.errors import UserError
from fanogan_tf.oct.readers.common import EYES, check_raster, distance_between, known_surfaces, positive, stack_images, unreadable
from fanogan_tf.oct.volume import Volume

_CONTEXT = "OphthalmicAcquisitionContext"


def xml_of(path: Path) -> Path:
    """The XML file itself, or the only one in the folder `path`.

    Raises:
      UserError: none, or more than one.
    """
    path = Path(path)
    if not path.is_dir():
        return path
    found = xml_files(path)
    if len(found) != 1:
        raise UserError(f"{path}: {len(found)} .xml files in the folder; name the one to read")
    return found[0]


def xml_files(folder: Path) -> list[Path]:
    """The visible XML files directly in `folder`, sorted."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".xml" and not path.name.startswith("."))


def image_files(path: Path) -> list[Path]:
    """The images of the B-scans of an XML file, in its order.

    Raises:
      UserError: no HEYEX export, or an image that is not there.
    """
    return [_image(path, scan) for scan in _scans(path)[1]]


def read(path: Path, name: str) -> Volume:
    """Reads an XML export; `path` is the XML file, or the folder in which it is the only one.

    The distance between B-scans comes from their positions, as the format does not give it.

    Raises:
      UserError: no HEYEX export, an image missing or unreadable, images of different sizes, no raster of parallel B-scans.
    """
    path = xml_of(path)
    series, scans = _scans(path)
    try:
        starts = np.array([_position(scan, "Start") for scan in scans])
        ends = np.array([_position(scan, "End") for scan in scans])
        check_raster(path, starts, ends)
        data = stack_images(path, [_image(path, scan) for scan in scans])
        return Volume(
            name=name,
            data=data,
            spacing=(
                distance_between(starts, ends),
                positive(scans[0].findtext(f"{_CONTEXT}/ScaleY")),
                positive(scans[0].findtext(f"{_CONTEXT}/ScaleX")),
            ),
            eye=EYES.get((series.findtext("Laterality") or "").strip(), ""),
            surfaces=known_surfaces(_surfaces(scans, data.shape), data.shape[1]),
        )
    except UserError:
        raise
    except Exception as error:
        raise unreadable(path, error) from error


def _scans(path: Path) -> tuple[ElementTree.Element, list[ElementTree.Element]]:
    """The series and its B-scans."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise unreadable(path, error) from error
    series = [found for found in root.iter("Series") if _images(found)]
    if len(series) != 1:
        reason = "it is no HEYEX export with OCT images" if not series else f"it holds {len(series)} scans: export each alone"
        raise unreadable(path, reason)
    return series[0], _images(series[0])


def _images(series: ElementTree.Element) -> list[ElementTree.Element]:
    return [image for image in series.findall("Image") if (image.findtext("ImageType/Type") or "").strip() == "OCT"]


def _image(path: Path, scan: ElementTree.Element) -> Path:
    # An absolute Windows path of the exporting machine; the images lie beside the XML file.
    url = (scan.findtext("ImageData/ExamURL") or "").strip()
    image = path.parent / url.replace("\\", "/").rpartition("/")[2]
    # Some exports rename the image, with its first name in brackets: OCT R 1 [5DD37430.jpg].jpg.
    renamed = [found for found in path.parent.iterdir() if f"[{image.name}]" in found.name] if url and not image.is_file() else []
    if len(renamed) == 1:
        return renamed[0]
    if not image.is_file():
        raise UserError(
            f"{path}: its image {image.name if url else 'without a name'} is missing; put it beside the .xml, or export again"
        )
    return image


def _position(scan: ElementTree.Element, which: str) -> tuple[float, float]:
    x, y = (scan.findtext(f"{_CONTEXT}/{which}/Coord/{axis}") for axis in "XY")
    return (float("nan"), float("nan")) if x is None or y is None else (float(x), float(y))


def _surfaces(scans: list[ElementTree.Element], shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    surfaces: dict[str, np.ndarray] = {}
    for index, scan in enumerate(scans):
        for line in scan.iter("SegLine"):
            rows = np.array((line.findtext("Array") or "").split(), np.float32)
            name = (line.findtext("Name") or "").strip()
            if len(rows) != shape[2]:
                raise ValueError(f"line {name} of B-scan {index} has {len(rows)} rows for {shape[2]} columns")
            surfaces.setdefault(name, np.full((shape[0], shape[2]), np.nan, np.float32))[index] = rows
    return surfaces
