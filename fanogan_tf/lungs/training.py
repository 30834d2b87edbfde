"""The training of the finder of lungs, on films and the masks that people drew; and how well it does on held-out ones."""

import dataclasses
import json

import keras
import numpy as np
import tensorflow as tf

from fanogan_tf import datasets, files
from fanogan_tf.data.feed import Feed
from fanogan_tf.data.image_set import ImageSet, Splits
from fanogan_tf.data.organ import FILM
from fanogan_tf.data.pixels import tile
from fanogan_tf.detection import regions
from fanogan_tf.detection.regions import GRID, Limits, RegionFinder, prepared, shape_of
from fanogan_tf.distributed import replicas
from fanogan_tf.errors import UserError
from fanogan_tf.networks.latent import key
from fanogan_tf.options import Options, names
from fanogan_tf.random_streams import ChangeDraw, image_order
from fanogan_tf.run_directory import RunDirectory
from fanogan_tf.training.calls import Training
from fanogan_tf.training.loop import Schedule, run_phase
from fanogan_tf.training.optimization import Adam, descend

# The options that it reads.
OPTIONS = (names("images", "running") - {"image_size", "standardise", "region", "region_from", "patches"}) | {
    *("dim", "batch_size", "iterations", "learning_rate", "seed", "deterministic")
}
PHASE = "unet"
FIGURES = "lungs.json"
# How far a side of the film moves, in shares of it, and by what power its grey levels are bent: films differ in both.
_MOVES, _BENT = 0.15, 1.5
_BATCH = 32


def dice_loss(logits: tf.Tensor, regions: tf.Tensor) -> tf.Tensor:
    """1 - 2 |p m| / (|p| + |m|), p = sigmoid(logits), both (B, H, W, 1): the mean over the batch (Milletari et al. 2016)."""
    share = tf.sigmoid(logits)
    both = tf.reduce_sum(share * regions, axis=[1, 2, 3])
    each = tf.reduce_sum(share + regions, axis=[1, 2, 3])
    return tf.reduce_mean(1.0 - 2.0 * tf.math.divide_no_nan(both, each))


def overlap(found: np.ndarray, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Dice 2 |a b| / (|a| + |b|), and IoU |a b| / |a or b|, of masks (N, H, W) bool: (N,) each; 1 where both are empty."""
    both = (found & drawn).sum(axis=(1, 2))
    each = found.sum(axis=(1, 2)) + drawn.sum(axis=(1, 2))
    either = each - both
    return np.where(each, 2 * both / np.maximum(each, 1), 1.0), np.where(either, both / np.maximum(either, 1), 1.0)


class LungTraining(Training):
    """One train step = one update of the U-Net, by cross entropy and `dice_loss`.

    `fit` on dicts of image and region, (B, FILM, FILM, 1) each, images in [-1, 1] and regions 0 or 1. Each film is moved,
    stretched and bent in its grey levels at random.
    """

    def __init__(self, network: keras.Model, *, seed: int):
        super().__init__(name="lungs")
        self.network = network
        self.networks = {"unet": network}
        self.seed = seed
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False, name="step")

    def compile(self, optimizer, **kwargs):
        super().compile(**kwargs)
        self.optimizers = {"unet_optimizer": optimizer}
        optimizer.build(self.network.trainable_variables)

    def call(self, films):
        """Logits (B, GRID, GRID, 1) of films (B, FILM, FILM, 1)."""
        return self.network(prepared(films), training=False)[0]

    def train_step(self, batch):
        films, drawn = self._changed(batch["image"], batch["region"])
        drawn = tf.nn.avg_pool2d(drawn, FILM // GRID, FILM // GRID, "VALID")
        with tf.GradientTape() as tape:
            logits, _ = self.network(prepared(films), training=True)
            entropy = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=drawn, logits=logits))
            dice = dice_loss(logits, drawn)
            loss = entropy + dice
        norm = descend(self.optimizers["unet_optimizer"], tape, loss, self.network.trainable_variables)
        self.step.assign_add(1)
        return {"loss": loss, "cross_entropy": entropy, "dice_loss": dice, "gradient_norm": norm}

    def _changed(self, films: tf.Tensor, drawn: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        count = tf.shape(films)[0]

        def uniform(draw: ChangeDraw, shape: list) -> tf.Tensor:
            return replicas.drawn(tf.random.stateless_uniform, [count, *shape], key(self.seed, self.step, draw))

        corners = tf.constant([0.0, 0.0, 1.0, 1.0]) + _MOVES * (2.0 * uniform(ChangeDraw.PLACE, [4]) - 1.0)
        each, size = tf.range(count), (FILM, FILM)
        films = tf.image.crop_and_resize(films, corners, each, size, extrapolation_value=-1.0)
        drawn = tf.image.crop_and_resize(drawn, corners, each, size, extrapolation_value=0.0)
        power = _BENT ** (2.0 * uniform(ChangeDraw.LEVELS, [1, 1, 1]) - 1.0)
        return 2.0 * tf.pow((tf.clip_by_value(films, -1.0, 1.0) + 1.0) / 2.0, power) - 1.0, drawn


def train(run: RunDirectory, options: Options, overwrite: bool) -> dict:
    """Trains the finder in `run` from where it stopped, and measures it; returns what is in `lungs.json`.

    Raises:
      UserError: the images have no regions, or what `run_phase` raises.
    """
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    splits = datasets.load(dataclasses.replace(options, image_size=str(FILM), region="none", region_from=""), run.cache)
    for images, name in ((splits.train, "training"), (splits.validation, "held-out")):
        if images.regions is None:
            raise UserError(f"{options.data_path}: no masks of the lungs for the {name} films; add them (see --dataset=folder)")
    run.take(options, splits, overwrite)
    keras.utils.set_random_seed(options.seed)
    training = LungTraining(regions.unet(options.dim), seed=options.seed)
    # XLA has no crop_and_resize, which moves the films.
    training.compile(Adam(options.learning_rate), jit_compile=False)
    some = np.arange(min(8, len(splits.validation)))
    films = tf.TensorSpec((None, FILM, FILM, 1), tf.float32, name="image")
    run_phase(
        training,
        Feed(splits.train, options.batch_size, image_order(options.seed), options.random_flip, ("image", "region")),
        Schedule.of(options, options.iterations),
        name=PHASE,
        folder=run.phase(PHASE),
        sheets={"lungs": lambda: sheet(training, *splits.validation.inputs(some, ("image", "region")))},
        graph=tf.function(training.call, autograph=False).get_concrete_function(films).graph,
    )
    finder = RegionFinder(options.dim, _limits(splits.train), training.network)
    with files.whole_folder(run.path / regions.FOLDER) as temporary:
        finder.save(temporary)
    found = figures(finder, splits)
    with files.whole_file(run.path / FIGURES) as temporary:
        temporary.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def sheet(training: LungTraining, films: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Three rows: films, where the lungs are found, where people drew them; uint8 (H, W)."""
    found = training.call(tf.convert_to_tensor(films)).numpy() > 0.0
    small = np.asarray(tf.nn.avg_pool2d(films, FILM // GRID, FILM // GRID, "VALID"))
    by_hand = np.asarray(tf.nn.avg_pool2d(drawn, FILM // GRID, FILM // GRID, "VALID")) >= 0.5
    return tile(np.concatenate([small, 2.0 * found - 1.0, 2.0 * by_hand - 1.0]), columns=len(films))


def _limits(train: ImageSet) -> Limits:
    """What drawn lungs are like; by the finder's own grid."""
    parts: dict[str, list[np.ndarray]] = {}
    measure = tf.function(shape_of, autograph=False, input_signature=[tf.TensorSpec((None, GRID, GRID), tf.bool)])
    for batch in train.batches(_BATCH):
        small = tf.nn.avg_pool2d(batch["region"], FILM // GRID, FILM // GRID, "VALID")[..., 0] >= 0.5
        for name, values in measure(small).items():
            parts.setdefault(name, []).append(values.numpy())
    return Limits.of({name: np.concatenate(values) for name, values in parts.items()})


def figures(finder: RegionFinder, splits: Splits) -> dict:
    """Dice and IoU, mean and least, of held-out films, and of test films by their class where these have masks.

    `left_out`: films whose lungs were not found, or not as in training; they count too.
    """
    sets = {"held-out normal": splits.validation}
    if splits.test.regions is not None:
        kinds = sorted(set(splits.test.class_names.tolist()))
        sets |= {f"test {kind}": splits.test.take(np.flatnonzero(splits.test.class_names == kind)) for kind in kinds}
    return {name: _figures(finder, images) for name, images in sets.items()}


def _figures(finder: RegionFinder, images: ImageSet) -> dict:
    look = tf.function(finder.look, autograph=False, input_signature=[tf.TensorSpec((None, FILM, FILM, 1), tf.float32)])
    dice, iou, unfit = [], [], 0
    for batch in images.batches(_BATCH):
        seen = look(tf.convert_to_tensor(batch["image"]))
        pair = overlap(seen["region"].numpy(), batch["region"][..., 0] > 0)
        dice.append(pair[0])
        iou.append(pair[1])
        unfit += int((~seen["found"].numpy()).sum())
    shares, unions = np.concatenate(dice), np.concatenate(iou)
    return {
        "films": len(shares),
        "dice": round(float(shares.mean()), 4),
        "least_dice": round(float(shares.min()), 4),
        "iou": round(float(unions.mean()), 4),
        "left_out": unfit,
    }


def summary(found: dict) -> str:
    """The figures as lines to print."""
    return "\n".join(
        f"{name}: Dice {of['dice']:.3f} (least {of['least_dice']:.3f}), IoU {of['iou']:.3f}, on {of['films']} films; "
        f"{of['left_out']} would be left out"
        for name, of in found.items()
    )
