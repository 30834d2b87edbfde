"""Writers of small OCT files in the layouts that scanners and data sets use.

Data, spacing, surfaces, lesions and eye come back exactly from `fanogan_tf.data.oct.reading.read_volume`.
"""

import struct
from pathlib import Path

import numpy as np
from PIL import Image

SPACING = (0.125, 0.00387, 0.01133)
UNKNOWN = np.finfo(np.float32).max  # How Heidelberg's files mark a row or voxel without a value.
# In the file's order.
VOL_LAYERS = [
    "ILM",
    "BM",
    "RNFL",
    "GCL",
    "IPL",
    "INL",
    "OPL",
    "ONL",
    "ELM",
    "IOS",
    "OPT",
    "CHO",
    "VIT",
    "ANT",
    "PR1",
    "PR2",
    "RPE",
]


def sample(shape=(3, 12, 8), seed=0) -> np.ndarray:
    """(B, H, W) uint8 with every B-scan, row and column different, 0 and 255 among the values."""
    data = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    data[0, 0, :2] = 0, 255
    return data


def sample_surfaces(shape=(3, 12, 8), names=("ILM", "BM")) -> dict[str, np.ndarray]:
    """Rows that differ everywhere, with one unknown."""
    scans, height, width = shape
    found = {}
    for i, name in enumerate(names):
        rows = np.linspace(1, height - 2, scans * width, dtype=np.float32).reshape(scans, width)
        found[name] = np.roll(rows, i).astype(np.float32)
        found[name][-1, i] = np.nan
    return found


def raw_values(data: np.ndarray) -> np.ndarray:
    """The floats of `.vol` and `.e2e` that are displayed as these uint8 values."""
    return (np.exp(data / 255.0 * 8.285 - 8.3) - 2.44e-4).astype(np.float32)


def raster(scans: int, between: float, length: float) -> np.ndarray:
    """(B, 4): start x, y and end x, y of parallel B-scans."""
    y = np.arange(scans) * between
    return np.stack([np.zeros(scans), y, np.full(scans, length), y], axis=1)


def star(scans: int, length: float = 6.0) -> np.ndarray:
    """(B, 4): B-scans through one point in evenly spread directions."""
    angles = np.pi * np.arange(scans) / scans
    ends = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / 2
    return np.concatenate([-ends, ends], axis=1)


def write_vol(
    path: Path,
    data_float: np.ndarray,
    surfaces: dict[str, np.ndarray] | None = None,
    spacing: tuple[float, float, float] = SPACING,
    eye: str = "OD",
    pattern: int = 3,
    positions: np.ndarray | None = None,
    patient: bytes = b"nobody",
) -> Path:
    """A Heidelberg `.vol`. data_float: (B, H, W) raw values, see `raw_values`. positions: (B, 4), a raster by default."""
    scans, height, width = data_float.shape
    surfaces = surfaces or {}
    layers = max([VOL_LAYERS.index(name) + 1 for name in surfaces], default=0)
    scan_header = 256 + 4 * width * layers + 64
    slo = np.arange(20, dtype=np.uint8)
    header = struct.pack("<12s3I3d2I2dId4sQiI", b"HSF-OCT-103", width, scans, height, spacing[2], spacing[0], spacing[1],
                         5, 4, 0.01, 0.01, 30, 0.5, eye.encode(), 130_000_000_000_000_000, pattern, scan_header)  # fmt: skip
    header += struct.pack("<16s16sI24sdI24sd4I34s", b"1", b"", 7, patient, 20000.0, 3, b"", 40000.0, 0, 0, 0, 0, b"")
    parts = [header.ljust(2048, b"\0"), slo.tobytes()]
    for i, place in enumerate(raster(scans, spacing[0], width * spacing[2]) if positions is None else positions):
        part = struct.pack("<12sI4dIIfI6f", b"HSF-BS-103", scan_header, *place, layers, 256, 25.0, 0, *[0.0] * 6).ljust(
            256, b"\0"
        )
        for name in VOL_LAYERS[:layers]:
            rows = surfaces[name][i] if name in surfaces else np.full(width, np.nan)
            part += np.where(np.isnan(rows), UNKNOWN, rows).astype("<f4").tobytes()
        parts += [part.ljust(scan_header, b"\0"), data_float[i].astype("<f4").tobytes()]
    return _written(path, b"".join(parts))


def write_xml(
    folder: Path,
    data_uint8: np.ndarray,
    surfaces: dict[str, np.ndarray] | None = None,
    spacing: tuple[float, float, float] = SPACING,
    eye: str = "OD",
    positions: np.ndarray | None = None,
    localizer: bool = True,
) -> Path:
    """A HEYEX export in `folder`: the `.xml`, one PNG per B-scan and one of the fundus. Returns the `.xml`."""
    scans, height, width = data_uint8.shape
    folder.mkdir(parents=True, exist_ok=True)

    def image(kind, name, size, places="", lines=""):
        scale = spacing[1:] if kind == "OCT" else (0.01, 0.01)
        context = f"<Width>{size[1]}</Width><Height>{size[0]}</Height><ScaleX>{scale[1]}</ScaleX><ScaleY>{scale[0]}</ScaleY>"
        return (
            f"<Image><OphthalmicAcquisitionContext>{context}<Angle>30</Angle><Focus>0.5</Focus><ImageQuality>25</ImageQuality>"
            f"{places}</OphthalmicAcquisitionContext><ImageType><Type>{kind}</Type></ImageType>"
            f"<ImageData><ExamURL>C:\\export\\{name}</ExamURL></ImageData>{lines}</Image>"
        )

    images = [image("LOCALIZER", "fundus.png", (4, 5))] if localizer else []
    if localizer:
        Image.fromarray(np.arange(20, dtype=np.uint8).reshape(4, 5)).save(folder / "fundus.png")
    # Names whose order is not the B-scans'.
    for i, place in enumerate(raster(scans, spacing[0], width * spacing[2]) if positions is None else positions):
        name = f"{scans - i:x}F.png"
        Image.fromarray(data_uint8[i]).save(folder / name)
        ends = zip(("Start", "End"), (place[:2], place[2:]), strict=True)
        places = "".join(f"<{end}><Coord><X>{x!r}</X><Y>{y!r}</Y></Coord></{end}>" for end, (x, y) in _floats(ends))
        lines = ""
        for layer, rows in (surfaces or {}).items():
            text = " ".join(repr(float(row)) for row in np.where(np.isnan(rows[i]), np.float32(3e38), rows[i]))
            lines += f"<SegLine><Name>{layer}</Name><Array>{text}</Array></SegLine>"
        lines = f"<Segmentation><NumSegmentations>{len(surfaces or {})}</NumSegmentations>{lines}</Segmentation>"
        images.append(image("OCT", name, (height, width), places, lines))
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><HEDX><BODY><SWVersion><Version>1</Version></SWVersion><Patient><ID>1</ID><Study>'
        f"<Series><ID>7</ID><Laterality>{'R' if eye == 'OD' else 'L'}</Laterality>{''.join(images)}</Series>"
        "</Study></Patient></BODY></HEDX>"
    )
    return _written(folder / "scan.xml", text.encode())


def write_e2e(
    path: Path,
    *series: np.ndarray,
    surfaces: dict[str, np.ndarray] | None = None,
    eye: str = "OD",
    pattern: int = 3,
    positions: np.ndarray | None = None,
    announced: int | None = None,
) -> Path:
    """A Heidelberg `.e2e` with one or more scans, (B, H, W) uint8 each. positions: (B, 4) in degrees, 0.5 apart by default.

    announced: the number of B-scans that it claims to have. The depth of a pixel is SPACING[1].
    """
    from eyepy.io.he.e2e_format import Bscan

    codes = np.argsort(Bscan.LUT, kind="stable")
    folders = []
    for number, data in enumerate(series):
        scans, height, width = data.shape
        folders.append((number, -1, 11, bytes(14) + (b"R" if eye == "OD" else b"L") + bytes(12)))
        for i, place in enumerate(raster(scans, 0.5, 20.0) if positions is None else positions):
            middle = ((place[0] + place[2]) / 2, (place[1] + place[3]) / 2)
            meta = struct.pack("<3I4fIfffI2f2I", 0, height, width, *place, 0, 0.0, SPACING[1], 0.0, 0, 0.0, 0.0, 0, width)
            meta += struct.pack("<3I2fIQIff12sI16s", announced or scans, i, pattern, *middle, 60, 0, 1, 25.0, 0.0, b"", 1, b"")
            meta += struct.pack("<f12sf", 0.0, b"", 25.0)
            folders.append((number, 2 * i, 10004, meta))
            where = np.searchsorted(Bscan.LUT[codes], np.maximum(raw_values(data[i]), 0))
            pixels = codes[np.minimum(where, len(codes) - 1)].astype("<u2").tobytes()
            head = struct.pack("<5I", len(pixels), 35652097, height * width, height, width)
            folders.append((number, 2 * i, 1073741824, head + pixels))
            for layer, rows in (surfaces or {}).items():
                values = np.where(np.isnan(rows[i]), UNKNOWN, rows[i]).astype("<f4").tobytes()
                folders.append((number, 2 * i, 10019, struct.pack("<5I", 0, VOL_LAYERS.index(layer), 0, width, 0) + values))

    def directory(magic, entries):
        return struct.pack("<12sI10H4I", magic, 100, *[0] * 10, entries, 36, 0, 0)

    start = 36 + 52 + 52 + 44 * len(folders)
    heads, bodies = b"", b""
    for number, scan, kind, body in folders:
        names = (1, 1, number, scan, 1, 0, kind, 0)
        heads += struct.pack("<4I4iHHII", 0, start + len(bodies), len(body), 0, *names)
        bodies += struct.pack("<12s5I4iHHII", b"MDbData", 0, 0, 0, len(body), 0, *names) + body
    version = struct.pack("<12sI10H", b"CMDb", 100, *[0] * 10)
    return _written(path, version + directory(b"MDbMDir", len(folders)) + directory(b"MDbDir", len(folders)) + heads + bodies)


def write_bscan_folder(folder: Path, data: np.ndarray) -> Path:
    """One PNG per B-scan, uint8 or uint16: scan1.png, scan2.png, ..., scan10.png."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, scan in enumerate(data):
        Image.fromarray(scan).save(folder / f"scan{i + 1}.png")
    return folder


def write_mhd(path: Path, data: np.ndarray, spacing: tuple[float, float, float] = SPACING) -> Path:
    """A MetaImage and its `.raw`."""
    kind = {"u1": "MET_UCHAR", "u2": "MET_USHORT", "i2": "MET_SHORT", "f4": "MET_FLOAT"}[data.dtype.str[1:]]
    lines = ["ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False", "CompressedData = False"]
    lines += [f"DimSize = {' '.join(map(str, data.shape[::-1]))}", f"ElementSpacing = {' '.join(map(repr, spacing[::-1]))}"]
    lines += [f"ElementType = {kind}", f"ElementDataFile = {path.stem}.raw"]
    _written(path.with_suffix(".raw"), data.tobytes())
    return _written(path, "\n".join(lines).encode())


def write_retouch(folder: Path, data: np.ndarray, reference: np.ndarray | None = None, spacing=SPACING) -> Path:
    """A RETOUCH case's folder; reference: (B, H, W) uint8 with 0 to 3."""
    write_mhd(folder / "oct.mhd", data, spacing)
    if reference is not None:
        write_mhd(folder / "reference.mhd", reference, spacing)
    return folder


def write_chiu_mat(path: Path, data: np.ndarray, layers: np.ndarray, fluid: np.ndarray) -> Path:
    """A file of Chiu et al.: layers (8, B, W) and fluid (B, H, W), both with NaN where nobody has drawn."""
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "images": np.moveaxis(data, 0, -1),
        "manualLayers1": np.moveaxis(layers, 1, -1),
        "manualFluid1": np.moveaxis(fluid, 0, -1),
    }
    savemat(path, content)
    return path


def write_farsiu_mat(path: Path, data: np.ndarray, layers: np.ndarray) -> Path:
    """A file of Farsiu et al.: layers (3, B, W)."""
    from scipy.io import savemat

    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, {"images": np.moveaxis(data, 0, -1), "layerMaps": np.moveaxis(layers, 0, -1), "Age": 70})
    return path


def write_dicom_oct(
    path: Path,
    data_uint8: np.ndarray,
    spacing: tuple[float, float, float] = SPACING,
    eye: str = "OD",
    positions: np.ndarray | None = None,
    frame_positions: bool = True,
    **attributes,
) -> Path:
    """An Ophthalmic Tomography Image. positions: (B, 4) on the fundus image. attributes: of the data set, put in last."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    scans = len(data_uint8)
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = [spacing[1], spacing[2]], spacing[0]
    orientation = Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Sequence([measures]), Sequence([orientation])
    frames = []
    for i in range(scans):
        anatomy, location, position = Dataset(), Dataset(), Dataset()
        anatomy.FrameLaterality = "R" if eye == "OD" else "L"
        location.OphthalmicImageOrientation = "LINEAR"
        location.ReferenceCoordinates = list(map(float, (raster(scans, 9.0, 300.0) if positions is None else positions)[i]))
        position.ImagePositionPatient = [0.0, i * spacing[0], 0.0]
        frame = Dataset()
        frame.FrameAnatomySequence, frame.OphthalmicFrameLocationSequence = Sequence([anatomy]), Sequence([location])
        if frame_positions:
            frame.PlanePositionSequence = Sequence([position])
        frames.append(frame)
    groups = {"SharedFunctionalGroupsSequence": Sequence([shared]), "PerFrameFunctionalGroupsSequence": Sequence(frames)}
    kind = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.5.4", "Modality": "OPT", "NumberOfFrames": scans}
    return write_dicom(path, data_uint8, **{**kind, **groups, **attributes})


def write_dicom(path: Path, pixels: np.ndarray | None, syntax: str = "1.2.840.10008.1.2.1", **attributes) -> Path:
    """A DICOM file of (H, W), (B, H, W) or (H, W, 3) uint8, uint16 or int16, by default a digital X-ray.

    attributes: any of the data set, as `WindowWidth=100`; `PixelData` as bytes replaces the pixels; None leaves one out.
    """
    from pydicom.dataset import Dataset, FileMetaDataset

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1.1", "1.2.3.4"
    if pixels is not None:
        colour = pixels.ndim == 3 and pixels.shape[-1] == 3
        bits = 8 * pixels.dtype.itemsize
        dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = (3, "RGB") if colour else (1, "MONOCHROME2")
        if colour:
            dataset.PlanarConfiguration = 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
        dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
        content = pixels.tobytes()
        dataset.PixelData = content + bytes(len(content) % 2)
        dataset["PixelData"].VR = "OB" if bits == 8 else "OW"
    for name, value in attributes.items():
        if value is not None:
            setattr(dataset, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)
    return path


def _floats(ends):
    return [(end, (float(x), float(y))) for end, (x, y) in ends]


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
