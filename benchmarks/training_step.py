"""The training step against its yardsticks: python benchmarks/training_step.py

Forms of the same networks and updates, interleaved in one process: the authors' and idiomatic Keras (keras_form.py), ours
(our_form.py), ours in bfloat16, and PyTorch (torch_form.py; pip install torch==2.13.0), eager and compiled, in bfloat16 too.
"""

import attainable
import command
import flops
import harness
import keras_form
import our_form
import tensorflow as tf
import torch_form

SIZES = {"28x28_dim32_batch64": (28, 32, 128, 64), "64x64_dim64_batch16": (64, 64, 128, 16)}
QUICK = {"8x8_dim2_batch2": (8, 2, 3, 2)}
FORMS = {
    "authors": lambda *size: keras_form.KerasForm(*size, form="authors"),
    "idiomatic_keras": keras_form.KerasForm,
    "ours": our_form.OurForm,
    "ours_bfloat16": lambda *size: our_form.OurForm(*size, precision="bfloat16"),
    "torch_eager": torch_form.TorchForm,
    "torch_compiled": lambda *size: torch_form.TorchForm(*size, compiled=True),
    "torch_eager_bfloat16": lambda *size: torch_form.TorchForm(*size, bfloat16=True),
    "torch_compiled_bfloat16": lambda *size: torch_form.TorchForm(*size, bfloat16=True, compiled=True),
}
YARDSTICKS = ("authors", "idiomatic_keras")


def at_size(side: int, dim: int, latent_dim: int, batch: int, rounds: int) -> dict:
    size = (side, dim, latent_dim, batch)
    forms = {name: make(*size) for name, make in FORMS.items()}
    ours, torch = forms["ours"].model, forms["torch_eager"]
    same = torch_form.same_function(ours.generator, ours.critic, torch)
    assert max(same.values()) < 1e-3, f"PyTorch's networks compute something else: {same}"
    # A whole iteration costs six updates: fewer rounds, and only the forms that are compared by it.
    whole = {name: form.iteration for name, form in forms.items() if name not in YARDSTICKS}
    for name in ("ours", "ours_bfloat16"):
        whole[name]()  # Compiles their graph of a whole iteration; the other forms' graphs are warm after their updates.
    seconds = {
        "critic_update": harness.interleaved({name: form.critic_update for name, form in forms.items()}, rounds),
        "generator_update": harness.interleaved({name: form.generator_update for name, form in forms.items()}, rounds),
        "iteration": harness.interleaved(whole, max(rounds // 2, 1), warm=0),
    }
    work = {form: flops.updates(*size, form) for form in ("plain", "ours")}
    return {
        "largest_relative_difference_to_torch": same,
        "gflop": {form: {name: round(value / 1e9, 2) for name, value in counted.items()} for form, counted in work.items()},
        "seconds": {part: {name: harness.summary(times) for name, times in all_.items()} for part, all_ in seconds.items()},
        "times_as_fast_as_idiomatic_keras": {
            part: harness.ratios(seconds[part], "idiomatic_keras") for part in ("critic_update", "generator_update")
        },
        "times_as_fast_as_the_authors_form": {
            part: harness.ratios(seconds[part], "authors") for part in ("critic_update", "generator_update")
        },
        "times_as_fast_as_the_best_torch": against_torch(seconds),
        "gflop_per_second_of_critic_updates": {
            name: round(work["ours"]["critic"] / harness.summary(seconds["critic_update"][name])["median"] / 1e9, 1)
            for name in ("ours", "ours_bfloat16")
        },
    }


def against_torch(seconds: dict) -> dict[str, dict[str, float]]:
    """Compares ours with the fastest PyTorch variant of the same precision."""
    found = {}
    for part, times in seconds.items():
        median = {name: harness.summary(all_)["median"] for name, all_ in times.items()}
        found[part] = {
            "float32": round(min(median["torch_eager"], median["torch_compiled"]) / median["ours"], 3),
            "bfloat16": round(
                min(median["torch_eager_bfloat16"], median["torch_compiled_bfloat16"]) / median["ours_bfloat16"], 3
            ),
        }
    return found


def full(quick: bool) -> dict:
    peak = {"float32": attainable.gflop_per_second(tf.float32), "bfloat16": attainable.gflop_per_second(tf.bfloat16)}
    sizes = {name: at_size(*size, rounds=1 if quick else 5) for name, size in (QUICK if quick else SIZES).items()}
    for size in sizes.values():
        speed = size["gflop_per_second_of_critic_updates"]
        size["share_of_the_attainable"] = {
            "ours": round(speed["ours"] / max(peak["float32"].values()), 2),
            "ours_bfloat16": round(speed["ours_bfloat16"] / max(peak["bfloat16"].values()), 2),
        }
    return {"attainable_gflop_per_second": peak, **sizes}


if __name__ == "__main__":
    command.main("training_step", "seconds per WGAN-GP update, forms interleaved; ratios are of medians", full)
