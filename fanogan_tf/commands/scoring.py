"""The commands that score and look: score, evaluate, screen, compare, visual_turing, score_archive."""

from pathlib import Path

from absl import flags

from fanogan_tf import errors
from fanogan_tf.commands.command import Command
from fanogan_tf.errors import UserError, starting
from fanogan_tf.options import Options
from fanogan_tf.run_directory import RunDirectory


def score(options: Options, given: frozenset[str]) -> None:
    """Scores images with a trained run.

    fanogan score --run_dir=runs/digits [--images=PATH ...] [--output=CSV] [--maps=DIR] [--dicom=DIR]

    Or with an exported model, without its run: fanogan score --model=models/digits --images=PATH ... --output=CSV
    """
    values = flags.FLAGS
    images, output = [Path(path) for path in values.images], values.output
    if values.dicom and not images:
        raise UserError(f"--dicom={values.dicom}: results go to the studies of DICOM images; name those with --images")
    if values.model:
        _check_without_run(values)
        with starting():
            from fanogan_tf import pipeline
        count = pipeline.score_exported(Path(values.model), options, given, images, Path(output), values.maps, values.dicom)
    else:
        run = RunDirectory(values.run_dir)
        options = run.options(options, given)
        output = output or (run.images if images else run.scores)
        with starting():
            from fanogan_tf import pipeline
        count = pipeline.score(run, options, images, Path(output), values.maps, values.dicom)
    print(f"scored {count} images: {output}")


def _score_flags() -> None:
    flags.DEFINE_string("run_dir", "", "The trained run.")
    flags.DEFINE_string(
        "model",
        "",
        "Instead of a run: an exported model, of any format. Needs --images and --output; prepared volumes go to cache/ there.",
    )
    flags.DEFINE_alias("saved_model", "model")  # As it was called when there was one format.
    flags.DEFINE_multi_string("images", [], "Files and folders to score, as many as you like. Without it, the test split.")
    flags.DEFINE_string("output", "", "The CSV to write. Without it, scores.csv in the run, or images.csv there with --images.")
    flags.DEFINE_string("maps", "", "Folder for pixel maps, PNGs beside each other for each image.")
    flags.DEFINE_string(
        "dicom",
        "",
        "Folder for DICOM results of DICOM images: report, overlay, segmentation and map, in new series of the same study.",
    )


def _check_without_run(values: flags.FlagValues) -> None:
    if values.run_dir:
        raise UserError("--model and --run_dir: give one of them")
    if not values.images:
        raise UserError("--model: has no test split of its own; name files or folders with --images")
    if not values.output:
        raise UserError("--model: say with --output which CSV to write")


def evaluate(options: Options, given: frozenset[str]) -> None:
    """Writes the report of a scored run.

    fanogan evaluate --run_dir=runs/digits
    """
    run = RunDirectory(flags.FLAGS.run_dir)
    options = run.options(options, given)
    with starting():
        from fanogan_tf import pipeline
    print(pipeline.evaluate(run, options, flags.FLAGS.subgroups, flags.FLAGS.prevalence))


def _evaluate_flags() -> None:
    flags.DEFINE_string("run_dir", "", "The trained and scored run.")
    flags.DEFINE_multi_string(
        "subgroups",
        [],
        "Show the AUROC within subgroups too, by the rules of --group_by, as in csv:meta.csv:sex; numbers are parted in thirds. "
        "As many as you like.",
    )
    flags.DEFINE_float(
        "prevalence", 0.05, "Share of diseased images where a filter would be used.", lower_bound=0.0, upper_bound=1.0
    )


def doctor(options: Options, given: frozenset[str]) -> None:
    """Says what is wrong with a training, with the evidence and what to change.

    fanogan doctor --run_dir=runs/digits

    A few hundred images of each split are looked at. What is found goes into doctor.json of the run, and with the next fanogan
    evaluate into its report. Whether test images are told apart by brightness alone, it says once they have been scored.
    """
    run = RunDirectory(flags.FLAGS.run_dir)
    options = run.options(options, given)
    with starting():
        from fanogan_tf import doctor as examination
    for verdict in examination.examine(run, options):
        print(verdict)


def _doctor_flags() -> None:
    flags.DEFINE_string("run_dir", "", "The trained run.")


def screen(options: Options, given: frozenset[str]) -> None:
    """Sets a filter of certainly normal images that keeps a wanted sensitivity.

    fanogan screen --run_dir=runs/lungs --diseased=PATH ... --sensitivity=0.98

    The diseased images are for development: neither trained nor tested on. The filter becomes part of the detector, until that is
    calibrated again. Score again to have it in the table (column screened), evaluate to see what it would take off the reader.
    Without diseased images, --screened=SHARE of fanogan train sets the filter by held-out normal ones.
    """
    values = flags.FLAGS
    run = RunDirectory(values.run_dir)
    if not values.diseased:
        raise UserError("--diseased: name images of disease, files or folders, that are neither trained nor tested on")
    with run.locked():
        options = run.options(options, given)
        with starting():
            from fanogan_tf import pipeline
        print(pipeline.screen(run, options, [Path(path) for path in values.diseased], values.sensitivity))


def _screen_flags() -> None:
    flags.DEFINE_string("run_dir", "", "The trained run.")
    flags.DEFINE_multi_string("diseased", [], "Images of disease for development, files and folders, as many as you like.")
    flags.DEFINE_float(
        "sensitivity",
        0.98,
        "Of all diseased images, at least this share is to reach the reader, with 95 % confidence.",
        lower_bound=0.5,
        upper_bound=0.9999,
    )


def compare(options: Options, given: frozenset[str]) -> None:
    """Compares two scored runs on the images that both scored, by a paired test.

    fanogan compare --run_dir=runs/fanogan --other_run=runs/pca
    """
    values = flags.FLAGS
    runs = [RunDirectory(values.run_dir), RunDirectory(values.other_run)]
    for flag, run in zip(("run_dir", "other_run"), runs, strict=True):
        if not values[flag].value or not run.scores.is_file():
            raise UserError(f"--{flag}={values[flag].value}: no scored run there; run fanogan score first")
    with starting():
        from fanogan_tf.comparison.pair import compare
    print(compare(*runs))


def _compare_flags() -> None:
    flags.DEFINE_string("run_dir", "", "The trained and scored run.")
    flags.DEFINE_string("other_run", "", "The one to compare it with, of another method or seed, on the same test images.")


def visual_turing(options: Options, given: frozenset[str]) -> None:
    """Mixes real and generated images on a sheet for an expert to tell apart.

    fanogan visual_turing --run_dir=R --output=DIR
    """
    values = flags.FLAGS
    run = RunDirectory(values.run_dir)
    if not values.output:
        raise UserError("--output: say in which folder sheet.png and key.csv are put")
    options = run.options(options, given)
    with starting():
        from fanogan_tf import pipeline
    print(pipeline.visual_turing(run, options, Path(values.output), values.images_per_kind))


def _visual_turing_flags() -> None:
    flags.DEFINE_string("run_dir", "", "The trained run.")
    flags.DEFINE_string("output", "", "Folder for sheet.png, which the expert gets, and key.csv, which the expert does not.")
    flags.DEFINE_integer("images_per_kind", 50, "How many real images, and how many generated ones.", lower_bound=1)


def score_archive(options: Options, given: frozenset[str]) -> None:
    """Scores archives with an exported model on Apache Spark.

    fanogan score_archive --model=DIR --images=PATH --output=DIR [--master=spark://HOST:7077]

    On a cluster: spark-submit [its flags] scripts/score_archive.py --model=DIR --images=PATH --output=DIR
    """
    values = flags.FLAGS
    for name in ("model", "images", "output"):
        if not values[name].value:
            raise UserError(f"--{name}: has to be given; see --help")
    settings = dict(setting.partition("=")[::2] for setting in values.spark)
    if odd := [name for name in settings if not name.startswith("spark.")]:
        raise UserError(f"--spark={odd[0]}: give one of Spark's settings, as in --spark=spark.driver.memory=4g")
    errors.need("pyspark", "archive", "fanogan score_archive")
    with starting():
        from fanogan_tf.archive.spark import score_archive
    images = values.images
    print(score_archive(values.model, images, values.output, values.format, options, given, values.master, settings))


def _score_archive_flags() -> None:
    flags.DEFINE_string("model", "", "What fanogan export wrote: the model's folder, one of its versions, or a file.")
    flags.DEFINE_alias("saved_model", "model")  # See `_score_flags`.
    flags.DEFINE_multi_string(
        "images", [], "Files and folders to score, as many as you like: images, or volumes for a model of OCT."
    )
    flags.DEFINE_string("output", "", "The folder to make for the scores.")
    flags.DEFINE_enum("format", "csv", ["csv", "parquet"], "Of the tables.")
    flags.DEFINE_string("master", "local[*]", "Spark's master: local[CORES], or a cluster. Under spark-submit, its own is taken.")
    flags.DEFINE_multi_string("spark", [], "A setting of Spark, as in --spark=spark.driver.memory=4g; as many as you like.")


SCORE = Command(score, _score_flags, scopes=("scoring", "running"), rest="images")
EVALUATE = Command(evaluate, _evaluate_flags, scopes=())
DOCTOR = Command(doctor, _doctor_flags, scopes=())
SCREEN = Command(screen, _screen_flags, scopes=("scoring", "running"), rest="diseased")
COMPARE = Command(compare, _compare_flags, scopes=())
VISUAL_TURING = Command(visual_turing, _visual_turing_flags, scopes=())
SCORE_ARCHIVE = Command(score_archive, _score_archive_flags, scopes=("scoring", "running"), rest="images")
