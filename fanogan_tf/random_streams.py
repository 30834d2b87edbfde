"""The numbers of all random streams, so that no two purposes share one by accident.

A number is part of what a seed means: to change one changes every result that was drawn from it.
"""

import enum


class Stream(enum.IntEnum):
    """Streams of NumPy: `numpy.random.default_rng([seed, Stream.PURPOSE])`.

    Attributes:
      SHEET_IMAGES, SHEET_ORDER: of the visual Turing test, by `seed`.
      TEST_SPLIT: normal images (or patients) to test on, by `split_seed`. One number with SHEET_ORDER: their seeds are apart.
      CRITIC_MEAN: training images that the critic's mean is taken over.
      FITTED_IMAGES: training images that the plain baselines are fitted to.
      AT_MOST: test and held-out images where there are more than asked for, by `split_seed`.
      RESTORED_IMAGES: images that all methods of a comparison restore.
      BOOTSTRAP: resamples of test images, for intervals.
      LEAKS: images that are looked at for leaks where there are many, by `split_seed`.
      NO_MODEL: training images that scores without a model compare with.
      DESCRIBED_IMAGES: training images whose features are described after the training.
      TEST_ABNORMAL: abnormal films that are tested on, by `split_seed`.
      DOCTOR: images that the doctor looks at.
    """

    SHEET_IMAGES = 0
    SHEET_ORDER = 1
    TEST_SPLIT = 1
    CRITIC_MEAN = 2
    FITTED_IMAGES = 3
    AT_MOST = 4
    RESTORED_IMAGES = 5
    BOOTSTRAP = 6
    LEAKS = 7
    NO_MODEL = 8
    DESCRIBED_IMAGES = 9
    TEST_ABNORMAL = 10
    DOCTOR = 11


class PassStream(enum.IntEnum):
    """Streams of one pass over the training images: `default_rng([seed, pass, PassStream.PURPOSE])`."""

    ORDER = 0
    MIRRORED = 1


class GanDraw(enum.IntEnum):
    """What a step of a GAN draws: the last index of `latent.key`."""

    LATENT = 0
    MIXTURE = 1
    CHANGE_OF_REAL = 2
    CHANGE_OF_GENERATED = 3


class EncoderDraw(enum.IntEnum):
    """What a step of the encoder's training draws. Codes are drawn only by the bound `stochastic_clip`."""

    CODE = 0
    LATENT = 1
    RECOVERED_CODE = 2
    DROPPED_PIXELS = 3


class PairDraw(enum.IntEnum):
    """What a step of ALI draws."""

    LATENT = 0
    CODE = 1


class RiskDraw(enum.IntEnum):
    """What a step draws to see how restored images follow what goes in. Numbers below 1,000 are a new discriminator's."""

    PROBE = 1001
    SKEWED = 1002


class ChangeDraw(enum.IntEnum):
    """What a step of the training of a finder of lungs draws."""

    PLACE = 0
    LEVELS = 1


class SearchDraw(enum.IntEnum):
    """What the latent search draws: the first index of `latent.key`."""

    START = 0
    REDRAWN = 1
    SAMPLES = 2


class SampleDraw(enum.IntEnum):
    """What the sheets of samples are drawn from."""

    SAMPLES = 0
    LINE_ENDS = 1


def image_order(seed: int, of_encoder: bool = False) -> int:
    """The seed of the order in which a phase sees the training images: another one for the encoder's phase."""
    return 2 * seed + of_encoder
