"""The Apache Beam pipeline that scores an archive by an exported model, on one machine or many.

Between its steps, file names are JSON strings: plain ASCII, whatever bytes a name has.
"""

import contextlib
import io
import logging
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
from apache_beam.io import ReadAllFromText, Write, WriteToText
from apache_beam.ml.inference.base import KeyedModelHandler, ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions, WorkerOptions
from apache_beam.transforms.combiners import Count

from fanogan_tf import datasets
from fanogan_tf.archive import output as tables
from fanogan_tf.archive.files import at_hand, found
from fanogan_tf.archive.output import Output, opened
from fanogan_tf.archive.reading import UNREADABLE, VOLUMES, ReadImages, ReadVolumes
from fanogan_tf.archive.volumes import VolumeRows
from fanogan_tf.archive.workers import Ticker, shown, watched
from fanogan_tf.detection.scoring import batch_size_for
from fanogan_tf.detection.terms import OWN
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options
from fanogan_tf.serving import model_card, saved_model
from fanogan_tf.serving.saved_model import ServedDetector

_ROWS_PER_SHARD = 100_000
# Bytes of the list of files that make one bundle of work: about a hundred images, or one volume.
_IMAGES_PIECE, _VOLUMES_PIECE = 8192, 64
_UNKNOWN = {"label": -1, "class": "", **dict.fromkeys(OWN, math.nan)}


class SavedModelHandler(ModelHandler[np.ndarray, dict, ServedDetector]):
    """RunInference's handler of our SavedModels: images (H, W) uint16 -> score, probability, anomalous and the method's terms.

    Beam's own TensorFlow handlers cannot load models that Keras 3 exports.

    folder: path or URL of an export folder, or of one of its versions. batch_size: of all batches but the last.
    """

    def __init__(self, folder: str, batch_size: int):
        super().__init__(min_batch_size=batch_size, max_batch_size=batch_size)
        self._folder = folder

    def load_model(self) -> ServedDetector:
        """Loads the model, once per worker process. Raises UserError: it is not a model of this project."""
        with at_hand(self._folder) as path:
            return saved_model.load(Path(path))

    def run_inference(
        self, batch: Sequence[np.ndarray], model: ServedDetector, inference_args: dict | None = None
    ) -> Iterable[dict]:
        outputs = model(np.stack(batch)[..., np.newaxis].astype(np.float32) / np.float32(257))
        columns = {name: outputs[name].tolist() for name in ("score", "probability", "anomalous", *OWN) if name in outputs}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def get_num_bytes(self, batch: Sequence[np.ndarray]) -> int:
        return sum(image.nbytes for image in batch)


def score_archive(
    folder: str,
    images: Sequence[str],
    output: str,
    file_format: str,
    options: Options,
    given: frozenset[str],
    beam_flags: Sequence[str],
) -> str:
    """Scores files and folders into a new folder; returns a line that sums it up.

    The new folder has shards `scores-*`, `unreadable.csv` and `summary.json`. For a model of OCT volumes, `scores-*` has the
    patches, and `volumes-*` the volumes. The folder appears complete; at a URL, it is complete once `summary.json` exists.

    Args:
      folder: of an exported model; it, `images` and `output` are paths, or URLs that Beam knows.
      images: files and folders.
      output: the new folder.
      file_format: csv or parquet.
      options, given: see `option_flags.from_flags`.
      beam_flags: of Beam's runner.

    Raises:
      UserError: an unknown flag, not a model of this project or one exported with other options, nothing to score, an output that
        exists already or cannot be written, or a worker that died.
    """
    start = time.perf_counter()
    beam_options = pipeline_options(beam_flags)
    direct = _is_direct(beam_options)
    handler = SavedModelHandler(folder, batch_size_for(options.score_batch_size))
    model = handler.load_model()
    options = model_card.options(model.card, model.path, options, given)
    of_volumes = datasets.DATASETS[options.dataset].groups is not None
    if of_volumes and (not options.patches or options.oct_images == "single"):
        raise UserError(f"--saved_model={folder}: scores whole or single B-scans; score them with fanogan score --saved_model")
    with opened(output) as made:
        total = made.write_list(found(images, of_volumes))
        ticker = Ticker(str(made.progress) if direct else "")
        reader = ReadVolumes(options, ticker) if of_volumes else ReadImages(model.image_shape[:2], ticker)
        pipeline = beam.Pipeline(options=beam_options)
        lay(pipeline, made, reader, handler, file_format)
        bar = shown(made.progress, total, "volume" if of_volumes else "image") if direct else contextlib.nullcontext()
        with watched(), bar:
            pipeline.run().wait_until_finish()
        found_counts = made.counts()
        counts = {name: found_counts[name] for name in ("images", "volumes", "patches", "unreadable") if name in found_counts}
        _check(counts, total, of_volumes)
        seconds = time.perf_counter() - start
        summary = {"files": total, **counts, "seconds": round(seconds, 3), "files_per_second": round(total / seconds, 1)}
        made.finish({"saved_model": folder, "format": file_format, **summary})
    told = ", ".join(f"{number} {name}" for name, number in {"files": total, **counts}.items())
    return f"{told}: {output}"


def pipeline_options(flags: Sequence[str]) -> PipelineOptions:
    """Parses Beam's flags. Raises UserError: a flag that neither this project nor Beam knows, or a value that Beam refuses."""
    flags = list(flags)
    if not any(flag.startswith("--runner") for flag in flags):
        flags.append("--runner=DirectRunner")
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            options = PipelineOptions(flags)
            known = options.get_all_options()
    except SystemExit as error:
        reason = complaint.getvalue().strip().rpartition("error: ")[2]
        raise UserError(f"Beam's flags: {reason}; every one is a --flag=value") from error
    # Flags of other runners may be known to their job servers only.
    if _is_direct(options):
        unknown = options.get_all_options(retain_unknown_options=True).keys() - known.keys()
        if unknown:
            raise UserError(f"--{sorted(unknown)[0]}: neither a flag of this command nor of Beam; see --help")
    _quiet(options)
    # Keeps Beam's DirectRunner from handing over to its Prism runner, which downloads a program. It has no other effect here.
    options.view_as(TypeOptions).allow_unsafe_triggers = True
    return options


def _quiet(options: PipelineOptions) -> None:
    """Silences DirectRunner's logging, which would break the progress bar; other runners log at level INFO.

    No error is lost: DirectRunner raises every error that it logs.
    """
    level = "CRITICAL" if _is_direct(options) else "INFO"
    logging.getLogger().setLevel(level)
    worker = options.view_as(WorkerOptions)
    worker.default_sdk_harness_log_level = worker.default_sdk_harness_log_level or level


def _is_direct(options: PipelineOptions) -> bool:
    return options.view_as(StandardOptions).runner.endswith("DirectRunner")


def lay(
    pipeline: beam.Pipeline,
    made: Output,
    reader: ReadImages | ReadVolumes,
    handler: SavedModelHandler,
    file_format: str,
) -> None:
    """Builds the pipeline that reads `made.list` and writes tables and counts into `made`."""
    of_volumes = isinstance(reader, ReadVolumes)
    sink = tables.SINKS[file_format]
    names = (
        pipeline
        | "List of files" >> beam.Create([made.list])
        | "Files" >> ReadAllFromText(desired_bundle_size=_VOLUMES_PIECE if of_volumes else _IMAGES_PIECE)
    )
    read = names | "Read" >> beam.ParDo(reader).with_outputs(UNREADABLE, VOLUMES, main="images")
    rows = read.images | "Score" >> RunInference(KeyedModelHandler(handler)) | "Rows" >> beam.MapTuple(_row)
    rows | "Write scores" >> Write(sink(f"{made.path}/scores", tables.SCORES, max_records_per_shard=_ROWS_PER_SHARD))
    read[UNREADABLE] | "Write unreadable" >> Write(
        tables.CsvSink(f"{made.path}/unreadable", tables.UNREADABLE, shard_name_template="")
    )
    counted = {"patches" if of_volumes else "images": rows, "unreadable": read[UNREADABLE]}
    if of_volumes:
        volumes = (rows, read[VOLUMES]) | "Volumes" >> VolumeRows()
        volumes | "Write volumes" >> Write(sink(f"{made.path}/volumes", tables.VOLUMES))
        counted["volumes"] = volumes
    lines = [
        elements | f"Count {name}" >> Count.Globally() | f"Line of {name}" >> beam.Map("{1} {0}".format, name)
        for name, elements in counted.items()
    ]
    lines | "Counts" >> beam.Flatten() | "Write counts" >> WriteToText(made.counts_file, shard_name_template="")


def _row(name: str, measured: dict) -> dict:
    """Makes a row of `score_table`, its name still as JSON."""
    return {"image": name, **_UNKNOWN, **measured}


def _check(counts: dict[str, int], total: int, of_volumes: bool) -> None:
    scored = counts["volumes" if of_volumes else "images"]
    if scored + counts["unreadable"] != total:
        added = f"{scored} scored and {counts['unreadable']} unreadable"
        raise UserError(f"{total} files, but {added}; nothing was written, run it again")
