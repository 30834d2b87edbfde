"""`--dataset=oct_phantom`: which synthetic volumes are trained on and tested on. Their seeds and sizes of lesions are fixed here.

The final test set was laid down before anything was trained. Development looks at the development set alone, whose seeds and
sizes of lesions are others.
"""

import dataclasses

from fanogan_tf.oct import volume
from fanogan_tf.oct.cache import Phantom
from fanogan_tf.oct.phantom import PhantomSettings
from fanogan_tf.options import Options

# What a diseased eye has, in turn: each kind of fluid alone, all together, with foci as they come with fluid.
_DISEASES = (
    (volume.INTRARETINAL_FLUID, volume.FOCI),
    (volume.SUBRETINAL_FLUID,),
    (volume.DETACHMENT,),
    (volume.INTRARETINAL_FLUID, volume.SUBRETINAL_FLUID, volume.DETACHMENT, volume.FOCI),
)


@dataclasses.dataclass(frozen=True)
class _TestSet:
    """first_seed: of the healthy volumes; the diseased ones follow 500 later.

    lesion_scales: ranges of the factor on the lesions' typical diameters, given out in turn.
    """

    first_seed: int
    lesion_scales: tuple[tuple[float, float], ...]


_NAME = "synthetic_phantom"  # In every table and path, so that nobody takes these eyes for real ones.
_TRAIN_SEED, _VALIDATION_SEED = 10_000, 20_000
TEST_SETS = {
    "development": _TestSet(30_000, ((0.8, 1.25),)),
    # Smaller and larger lesions than any of the development set.
    "final": _TestSet(900_000, ((0.5, 0.8), (1.25, 2.0))),
}


def phantoms(options: Options) -> dict[str, list[Phantom]]:
    """The volumes of each split: healthy ones in train and validation, as many healthy as diseased ones in test."""
    chosen, settings = TEST_SETS[options.phantom_test], PhantomSettings(bscans=options.phantom_bscans)

    def healthy(what: str, first_seed: int, count: int) -> list[Phantom]:
        return [Phantom(first_seed + i, settings, f"{_NAME}/{what}_{i:03d}", 0) for i in range(count)]

    diseased = [
        Phantom(chosen.first_seed + 500 + i, _diseased(settings, chosen, i), f"{_NAME}/diseased_{i:03d}", 1)
        for i in range(options.phantom_test_volumes)
    ]
    return {
        "train": healthy("train", _TRAIN_SEED, options.phantom_train_volumes),
        "validation": healthy("validation", _VALIDATION_SEED, options.phantom_validation_volumes),
        "test": healthy("healthy", chosen.first_seed, options.phantom_test_volumes) + diseased,
    }


def _diseased(healthy: PhantomSettings, chosen: _TestSet, number: int) -> PhantomSettings:
    kinds = _DISEASES[number % len(_DISEASES)]
    # The scale changes after each round of diseases, so that every kind comes in every size.
    scale = chosen.lesion_scales[number // len(_DISEASES) % len(chosen.lesion_scales)]
    return dataclasses.replace(healthy, lesions=kinds, lesion_scale=scale)
