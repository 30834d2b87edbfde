"""The whole way on this machine, on 127.0.0.1 alone: an archive, a node that watches it, the readers' page, and OHIF.

python scripts/reading_room.py --work=build/reading_room [--films=DIR --model=DIR] [--ohif=DIR]

Starts Debian's Orthanc (packages orthanc, orthanc-dicomweb) with a storage of its own, trains a small model (PCA) on synthetic
films, sends 20 more of them, and prints the addresses. With --films, DICOM files of your own are sent instead, to be scored by
the exported --model. --ohif is the folder dist/ of the npm package @ohif/app; without it there is no OHIF. Ctrl-C ends all.
"""

import argparse
import contextlib
import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pydicom
import requests
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

HERE = "127.0.0.1"
READER = "reader"
SIDE = 256
ORTHANC_PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
OHIF_CONFIG = """window.config = {
  routerBasename: null, extensions: [], modes: [], showStudyList: true, defaultDataSourceName: 'archive',
  dataSources: [{ namespace: '@ohif/extension-default.dataSourcesModule.dicomweb', sourceName: 'archive', configuration: {
    friendlyName: 'Archive', name: 'archive', wadoUriRoot: '/dicom-web', qidoRoot: '/dicom-web', wadoRoot: '/dicom-web',
    qidoSupportsIncludeField: true, imageRendering: 'wadors', thumbnailRendering: 'wadors', enableStudyLazyLoad: true,
    supportsFuzzyMatching: false, supportsWildcard: true, omitQuotationForMultipartRequest: true, bulkDataURI: { enabled: true },
  } }],
};
"""


def drawn(seed: int, anomalous: bool) -> np.ndarray:
    """A synthetic film, (SIDE, SIDE) uint16: a body, two lungs, ribs, noise; and, where anomalous, an opacity in one lung."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    grey = 0.85 - 0.5 * (x**2 + 0.6 * y**2)
    width, height = chance.uniform(0.26, 0.32), chance.uniform(0.55, 0.65)
    for side in (-1, 1):
        lung = ((x - side * 0.42) / width) ** 2 + (y / height) ** 2
        grey -= 0.42 / (1 + np.exp(12 * (lung - 1)))
    grey += 0.05 * np.sin(18 * (y + 0.3 * x**2) + chance.uniform(0, 6))
    if anomalous:
        side, down = chance.choice((-1, 1)), chance.uniform(-0.3, 0.3)
        grey += 0.45 * np.exp(-(((x - side * 0.42) / 0.14) ** 2 + ((y - down) / 0.14) ** 2))
    grey += chance.normal(0, 0.02, grey.shape)
    return np.round(np.clip(grey, 0, 1) * 65535).astype(np.uint16)


def as_dicom(pixels: np.ndarray, number: int) -> Dataset:
    """A digital X-ray of an invented patient; every fourth one has an earlier study, too."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.Modality = DigitalXRayImageStorageForPresentation, "DX"
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(made, name, generate_uid(entropy_srcs=["reading room", name, str(number)]))
    patient = number - number % 4 % 2
    made.PatientID, made.PatientName = f"SYN{patient:03d}", f"Synthetic^{patient:03d}"
    made.PatientBirthDate = made.PatientSex = made.AccessionNumber = made.ReferringPhysicianName = ""
    made.StudyID, made.StudyDate, made.StudyTime = str(number), f"202601{1 + number:02d}", "120000"
    made.StudyDescription, made.SeriesNumber, made.InstanceNumber = "synthetic film", 1, 1
    made.PatientOrientation = ["L", "F"]
    made.Rows, made.Columns = pixels.shape
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.BurnedInAnnotation = 15, "NO"
    made.PixelData = pixels.astype("<u2").tobytes()
    made["PixelData"].VR = "OW"
    return made


def fanogan(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from fanogan_tf.cli import main; sys.exit(main())", *arguments]


def trained(work: Path) -> Path:
    """A model of synthetic films, trained within half a minute; the one that is there, where there is one."""
    model = work / "model"
    if not model.exists():
        print("training a small model on synthetic films", flush=True)
        for split, count, anomalous in (("train_normal", 300, False), ("test_normal", 30, False), ("test_anomalous", 30, True)):
            folder = work / "films" / split
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                seed = 1_000 * (2 * anomalous + split.startswith("test")) + number
                Image.fromarray(drawn(seed, anomalous)).save(folder / f"{number}.png")
        about = (
            "--method=pca",
            "--dataset=folder",
            f"--data_path={work / 'films'}",
            "--image_size=64",
            f"--run_dir={work / 'run'}",
        )
        subprocess.run(fanogan("run", *about), check=True, stdout=subprocess.DEVNULL)
        subprocess.run(fanogan("export", f"--run_dir={work / 'run'}", f"--output={model}"), check=True, stdout=subprocess.DEVNULL)
    return model


def orthanc(work: Path, dicom: int, http: int) -> subprocess.Popen:
    """An archive of its own: on this machine alone, with its files below `work`."""
    found = shutil.which("Orthanc") or shutil.which("orthanc")
    if not found or not ORTHANC_PLUGIN.exists():
        sys.exit("error: Orthanc is not installed; apt-get install orthanc orthanc-dicomweb")
    settings = {
        **{"Name": "ARCHIVE", "DicomAet": "ARCHIVE", "DicomPort": dicom, "HttpPort": http, "HttpBindAddresses": [HERE]},
        **{"StorageDirectory": str(work / "archive"), "IndexDirectory": str(work / "archive"), "OverwriteInstances": True},
        **{"RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomServerEnabled": False},
        **{"Plugins": [str(ORTHANC_PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}},
    }
    path = work / "orthanc.json"
    path.write_text(json.dumps(settings), encoding="utf-8")
    log = (work / "orthanc.log").open("w")
    return subprocess.Popen([found, str(path)], stdout=log, stderr=log)


def ohif(dist: Path, archive: str, port: int) -> None:
    """Serves OHIF's files, and the archive below /dicom-web, so that both are of one origin; in the background."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import FileResponse, Response
    from starlette.routing import Route

    async def proxy(request: Request) -> Response:
        headers = {name: request.headers[name] for name in ("accept", "host") if name in request.headers}
        answer = await run_in_threadpool(
            requests.get, archive + request.url.path, params=request.url.query, headers=headers, timeout=60
        )
        return Response(answer.content, answer.status_code, media_type=answer.headers.get("Content-Type"))

    def file(request: Request) -> Response:
        if request.url.path == "/app-config.js":
            return Response(OHIF_CONFIG, media_type="text/javascript")
        path = (dist / request.url.path.lstrip("/")).resolve()
        # Addresses of the application itself, such as /viewer, are all its one page.
        inside = path.is_relative_to(dist.resolve()) and path.is_file()
        return FileResponse(path if inside else dist / "index.html")

    application = Starlette(routes=[Route("/dicom-web/{rest:path}", proxy), Route("/{rest:path}", file)])
    server = uvicorn.Server(uvicorn.Config(application, host=HERE, port=port, log_level="warning"))
    threading.Thread(target=server.run, daemon=True).start()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((HERE, 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def wait(address: str, of: subprocess.Popen | None = None) -> None:
    """Until it answers; `of` is the process that should."""
    for _ in range(240):
        if of and of.poll() is not None:
            sys.exit(f"error: {of.args[0]} ended; see its log in --work")
        with contextlib.suppress(requests.RequestException):
            if requests.get(address, timeout=5).ok:
                return
        time.sleep(0.5)
    sys.exit(f"error: {address} does not answer")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/reading_room"))
    parser.add_argument("--films", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--ohif", type=Path)
    given = parser.parse_args()
    if bool(given.films) != bool(given.model):
        parser.error("give --films and --model together: what was trained on others cannot score yours")
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    model = given.model or trained(work)
    dicom, http, viewer = free_ports(3)
    archive, password = f"http://{HERE}:{http}", secrets.token_urlsafe(9)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as running:
        started = [orthanc(work, dicom, http)]
        running.callback(lambda: [one.terminate() for one in started] and [one.wait(30) for one in started])
        wait(f"{archive}/system", started[0])
        films = (
            [pydicom.dcmread(path) for path in sorted(given.films.rglob("*.dcm"))]
            if given.films
            else [as_dicom(drawn(5_000 + number, number % 5 == 2), number) for number in range(20)]
        )
        for film in films:
            sent = work / "sent.dcm"
            film.save_as(sent, enforce_file_format=True)
            requests.post(f"{archive}/instances", data=sent.read_bytes(), timeout=60).raise_for_status()
        if given.ohif and (given.ohif / "index.html").is_file():
            ohif(given.ohif, archive, viewer)
            wait(f"http://{HERE}:{viewer}/")
        else:
            viewer = 0
        users = work / "users.txt"
        adding = fanogan("reading", f"--users={users}", f"--add_user={READER}")
        subprocess.run(adding, input=f"{password}\n", text=True, check=True, stdout=subprocess.DEVNULL)
        node = fanogan(
            *("node", f"--model={model}", f"--folder={work / 'node'}", f"--dicomweb={archive}/dicom-web", "--days=0", "--every=2")
        )
        started.append(subprocess.Popen(node))
        while not (work / "node" / "ledger.sqlite").is_file() and started[-1].poll() is None:
            time.sleep(0.2)
        page = fanogan("reading", f"--folder={work / 'node'}", f"--users={users}", "--port=0")
        started.append(subprocess.Popen([*page, f"--ohif=http://{HERE}:{viewer}"] if viewer else page))
        print(f"{len(films)} films sent to the archive: {archive}/app/explorer.html", flush=True)
        print(f"OHIF: http://{HERE}:{viewer}/" if viewer else "OHIF: not here, see --ohif", flush=True)
        print(f"the readers' page: log in as {READER}, password {password}; its address follows; Ctrl-C ends all", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while all(one.poll() is None for one in started):
                time.sleep(0.5)


if __name__ == "__main__":
    main()
