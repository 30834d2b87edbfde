"""The RETOUCH challenge's cases: a folder with `oct.mhd`, its `.raw` and, for training cases, `reference.mhd`.

Bogunovic et al., IEEE Trans. Med. Imaging 38(8), 2019. Reference values: 1 intraretinal fluid, 2 subretinal fluid, 3 detachment
of the pigment epithelium. Read without eyepy, which needs ITK for it and makes 8 bits of Spectralis' 16. B-scans keep the
file's order.
"""

from pathlib import Path

import numpy as np

from fanogan_tf.oct.readers import metaimage
from fanogan_tf.oct.readers.common import check_raster, positive, unreadable
from fanogan_tf.oct.volume import FLUID, Volume

SCAN, REFERENCE = "oct.mhd", "reference.mhd"


def scan_of(path: Path) -> Path:
    """The header of the scan: `path` itself, or `oct.mhd` in it if it is a folder."""
    return Path(path) / SCAN if Path(path).is_dir() else Path(path)


def reference_of(path: Path) -> Path | None:
    """The reference that belongs to a scan, if there is one; only a scan named `oct.mhd` has it."""
    scan = scan_of(path)
    reference = scan.with_name(REFERENCE)
    return reference if scan.name == SCAN and reference.is_file() else None


def read(path: Path, name: str) -> Volume:
    """Reads a case's folder, or any three-dimensional MetaImage of grey values (columns, rows, B-scans).

    Returns:
      data uint8 or uint16 as stored (float32 for other number types); lesions of a reference with volume.FLUID as kinds.

    Raises:
      UserError: damaged or incomplete files, a reference of another size or with other values than 0 to 3, a single B-scan.
    """
    scan = scan_of(path)
    data, spacing = metaimage.read(scan)
    check_raster(scan, np.zeros((len(data), 2)), np.zeros((len(data), 2)))
    if data.dtype not in (np.uint8, np.uint16):
        if not np.isfinite(data).all():
            raise unreadable(scan, "it holds values that are not finite")
        data = data.astype(np.float32)

    lesions = None
    reference = reference_of(scan)
    if reference is not None:
        lesions, _ = metaimage.read(reference)
        if lesions.shape != data.shape:
            raise unreadable(reference, f"a reference of {lesions.shape} for a scan of {data.shape}")
        strange = set(np.unique(lesions).tolist()) - {0, 1, 2, 3}
        if strange:
            raise unreadable(reference, f"it holds {sorted(strange)[0]}, where 0 to 3 are known")
        lesions = lesions.astype(np.uint8)
    kinds = () if lesions is None else FLUID
    between, axial, lateral = map(positive, spacing)
    return Volume(name=name, data=data, spacing=(between, axial, lateral), lesions=lesions, kinds=kinds)
