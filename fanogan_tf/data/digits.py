"""`--dataset=digits`: 1797 scanned digits of 8x8 pixels that come with scikit-learn, so nothing is downloaded."""

import functools

import numpy as np
from sklearn.datasets import load_digits

from fanogan_tf.data import one_class
from fanogan_tf.data.image_size import parse_image_size
from fanogan_tf.data.splits import Splits, hold_out
from fanogan_tf.options import Options

_CLASS_NAMES = tuple("0123456789")
_TEST_FRACTION = 0.3


def load(options: Options) -> Splits:
    """The digit `normal_class` against the other nine, or nine against the digit `anomalous_class`.

    The source has no test split: 30 % of the normal digits are held out for it, together with all other digits, which
    are never trained on.

    Raises:
      UserError: an unusable normal_class, anomalous_class or image_size.
    """
    source = load_digits()
    images = np.rint(source.images * (255 / 16)).astype(np.uint8)  # Stored as 0 .. 16.
    classes = source.target
    normal = one_class.normal_classes(options, _CLASS_NAMES, np.unique(classes))

    normals = np.flatnonzero(np.isin(classes, normal))
    kept, tested = hold_out(len(normals), _TEST_FRACTION, [options.split_seed, 1])
    train, validation = hold_out(len(kept), options.validation_fraction, options.split_seed)
    test = np.sort(np.concatenate([normals[tested], np.flatnonzero(~np.isin(classes, normal))]))

    part = functools.partial(
        one_class.image_set,
        images,
        classes,
        class_names=_CLASS_NAMES,
        normal=normal,
        prefix="digits",
        size=parse_image_size(options.image_size),
    )
    return Splits(part(normals[kept[train]]), part(normals[kept[validation]]), part(test))
