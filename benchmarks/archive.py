"""Scoring an archive on Beam's DirectRunner against a plain loop over the same SavedModel: python benchmarks/archive.py

Both read the same synthetic PNG files with the project's reader, in batches of 64, and write one CSV row per image. The networks
are tiny, so the figures show the cost of Beam and not that of the model. Every run is a process of its own.
"""

import csv
import tempfile
import time
from pathlib import Path

import command
import numpy as np
import synthetic

from fanogan_tf.archive.pipeline import score_archive
from fanogan_tf.data.decode import read_image, walk_images
from fanogan_tf.networks.spec import NetworkSpec
from fanogan_tf.options import Options
from fanogan_tf.serving import saved_model
from fanogan_tf.serving.export import export

WHAT = "100,000 synthetic PNG files of 16x16 scored by a tiny SavedModel: on Beam's DirectRunner, and by a plain loop."
SIDE, BATCH = 16, 64
COLUMNS = ("image", "score", "probability", "anomalous", "image_residual", "feature_residual", "latent_distance")
FORMS = {
    "loop": None,
    "beam": (),
    "beam, 2 processes": ("--direct_running_mode=multi_processing", "--direct_num_workers=2"),
}


def loop(model: Path, images: Path, output: Path) -> None:
    """Scores as one would without Beam: one file after the other, in batches."""
    served = saved_model.load(model)
    with open(output, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        batch: list[tuple[str, np.ndarray]] = []

        def write() -> None:
            outputs = served(np.stack([image for _, image in batch])[..., np.newaxis].astype(np.float32) / np.float32(257))
            columns = [outputs[name].tolist() for name in COLUMNS[1:]]
            writer.writerows(zip([name for name, _ in batch], *columns, strict=True))
            batch.clear()

        for path in walk_images(images):
            batch.append((path.as_posix(), read_image(path)))
            if len(batch) == BATCH:
                write()
        if batch:
            write()


def measure(form: str, model: str, images: str, output: str) -> dict:
    """Measures the seconds of one form, loading and the start of workers included, and the peak memory of this process."""
    start = time.perf_counter()
    if FORMS[form] is None:
        loop(Path(model), Path(images), Path(output))
    else:
        score_archive(model, [images], output, "csv", Options(score_batch_size=BATCH), frozenset(), FORMS[form])
    return {"seconds": round(time.perf_counter() - start, 2), "peak_memory_gb": command.peak_memory_gb()}


def scores_in(*tables: Path) -> dict[str, float]:
    """Reads image -> score."""
    scores = {}
    for table in tables:
        with open(table, newline="", encoding="utf-8") as file:
            scores |= {row["image"]: float(row["score"]) for row in csv.DictReader(file)}
    return scores


def run(quick: bool) -> dict:
    few, many, rounds = (200, 1_000, 1) if quick else (20_000, 100_000, 2)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = str(export(synthetic.detector(NetworkSpec((SIDE, SIDE, 1), dim=2, latent_dim=4)), folder / "model"))
        sets = {count: folder / f"{count}" for count in (few, many)}
        for count, images in sets.items():
            synthetic.write_pngs(images, count, SIDE)
        runs = []
        for number in range(rounds):
            for form in list(FORMS)[:: -1 if number % 2 else 1]:
                output = folder / f"{form}-{number}"
                measured = command.alone(form=form, model=model, images=str(sets[many]), output=str(output))
                runs.append({"form": form, "images": many, **measured})
        measured = command.alone(form="beam", model=model, images=str(sets[few]), output=str(folder / "few"))
        runs.append({"form": "beam", "images": few, **measured})
        expected, scored = scores_in(folder / "loop-0"), scores_in(*(folder / "beam-0").glob("scores-*"))
        if expected.keys() != scored.keys():
            raise AssertionError("Beam and the loop have not scored the same files")
        difference = max(abs(scored[name] - score) / abs(score) for name, score in expected.items())
    best = {form: min(entry["seconds"] for entry in runs if (entry["form"], entry["images"]) == (form, many)) for form in FORMS}
    peaks = {
        count: max(entry["peak_memory_gb"] for entry in runs if (entry["form"], entry["images"]) == ("beam", count))
        for count in sets
    }
    return {
        "images_per_second": {form: round(many / seconds, 1) for form, seconds in best.items()},
        "times_as_fast_as_the_loop": {form: round(best["loop"] / seconds, 3) for form, seconds in best.items() if form != "loop"},
        "beam_peak_memory_gb_by_images": peaks,
        "largest_relative_difference_of_scores": difference,
        "runs": runs,
    }


if __name__ == "__main__":
    command.main("archive", WHAT, run, measure)
