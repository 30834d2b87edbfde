import keras
import pytest

from fanogan_tf.networks import precision
from fanogan_tf.networks.precision import computing_in, cpu_has_bfloat16


@pytest.fixture(autouse=True)
def not_warned_yet():
    precision.warn_of_slow_bfloat16.cache_clear()
    yield
    precision.warn_of_slow_bfloat16.cache_clear()


def seconds(monkeypatch, float32, bfloat16):
    monkeypatch.setattr(precision, "_matmul_seconds", lambda dtype: {"float32": float32, "bfloat16": bfloat16}[dtype.name])


def asked(times=2):
    for _ in range(times):
        with computing_in("bfloat16"):
            pass


def test_policy_inside_and_after():
    before = keras.mixed_precision.global_policy().name
    for name, policy in (("none", "float32"), ("float16", "mixed_float16"), ("bfloat16", "mixed_bfloat16")):
        with computing_in(name):
            assert keras.mixed_precision.global_policy().name == policy
    assert keras.mixed_precision.global_policy().name == before


def test_a_cpu_without_bfloat16_says_so_once(monkeypatch, caplog):
    seconds(monkeypatch, 1.0, 4.0)
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: False)
    asked()
    assert len(caplog.messages) == 1
    assert "no such instructions" in caplog.messages[0] and "0.25 of its speed" in caplog.messages[0]


def test_a_cpu_that_is_slow_at_it_says_so(monkeypatch, caplog):
    seconds(monkeypatch, 1.0, 2.0)
    monkeypatch.setattr(precision, "cpu_has_bfloat16", lambda: True)
    asked()
    assert len(caplog.messages) == 1 and "slower here than float32, 0.50 of its speed" in caplog.messages[0]


def test_a_fast_cpu_and_float32_say_nothing(monkeypatch, caplog):
    seconds(monkeypatch, 2.0, 1.0)
    asked()
    seconds(monkeypatch, 1.0, 2.0)
    with computing_in("none"), computing_in("float16"):
        pass
    assert not caplog.messages


def test_a_machine_with_a_gpu_says_nothing(monkeypatch, caplog):
    seconds(monkeypatch, 1.0, 2.0)
    monkeypatch.setattr(precision.tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    asked()
    assert not caplog.messages


@pytest.mark.parametrize(
    ("flags", "has"),
    [("fpu avx512_bf16 amx_tile", True), ("fpu amx_bf16", True), ("Features: bf16", True), ("avx512f bf16x", False)],
)
def test_cpu_features_from_cpuinfo(tmp_path, flags, has):
    path = tmp_path / "cpuinfo"
    path.write_text(f"flags : {flags}\n")
    assert cpu_has_bfloat16(path) is has
    assert not cpu_has_bfloat16(tmp_path / "missing")


def test_seconds_of_a_matrix_product():
    assert precision._matmul_seconds(precision.tf.float32) > 0


@pytest.mark.parametrize(
    ("gpus", "capability", "cpu", "taken"),
    [
        (1, (9, 0), "", "bfloat16"),
        (1, (7, 5), "amx_bf16", "none"),
        (0, None, "amx_bf16", "bfloat16"),
        (0, None, "avx512_bf16", "none"),
    ],
)
def test_what_auto_comes_to(monkeypatch, gpus, capability, cpu, taken):
    monkeypatch.setattr(precision.tf.config, "list_physical_devices", lambda kind: ["a GPU"] * gpus)
    monkeypatch.setattr(precision.tf.config.experimental, "get_device_details", lambda gpu: {"compute_capability": capability})
    monkeypatch.setattr(precision, "cpu_features", lambda: {cpu})
    assert precision.chosen("auto") == taken
    assert precision.chosen("float16") == "float16"
