import fcntl

import pytest

from tests.helpers.commands import TINY, fail, succeed

pytestmark = pytest.mark.slow


def test_training_with_bad_flags(tmp_path):
    for arguments, said in (
        (["--image_size=30"], ["--image_size", "30x30", "28x28"]),
        (["--normal_class=11"], ["normal_class", "11"]),
        (["--dataset=folder"], ["--data_path"]),
        (["--dataset=mnist", "--data_path=/nowhere/mnist.npz"], ["/nowhere/mnist.npz"]),
        (["--phase=encoder"], ["--phase=encoder", "--phase=gan"]),
        (["--steps_per_call=0"], ["--steps_per_call=0", "auto"]),
        (["--phase=decoder"], ["--phase=decoder", "--method=fanogan", "gan, encoder"]),
    ):
        line = fail("train", *TINY, f"--run_dir={tmp_path / 'r'}", *arguments)
        assert all(word in line for word in said), line


def test_a_directory_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    line = fail("train", *TINY, f"--run_dir={tmp_path}", "--overwrite")
    assert str(tmp_path) in line and (tmp_path / "thesis.txt").read_text() == "years of work"


def test_another_run_in_the_same_directory(trained):
    line = fail("run", *TINY, f"--run_dir={trained[0]}", "--dim=4", "--normal_class=1")
    assert "--dim is 2 there, 4 here" in line and "--normal_class is 0 there, 1 here" in line


def test_scoring_a_run_of_another_method(trained):
    line = fail("score", f"--run_dir={trained[0]}", "--method=ae")
    assert str(trained[0]) in line and "--method is fanogan there, ae here; leave it out" in line


def test_gan_trained_on_under_its_encoder(trained):
    assert "encoder" in fail("train", f"--run_dir={trained[0]}", "--iterations=9")


def test_scoring_before_training(tmp_path):
    assert "fanogan train" in fail("score", f"--run_dir={tmp_path}")


def test_evaluating_before_scoring(tmp_path, trained):
    (tmp_path / "flags.txt").write_text((trained[0] / "flags.txt").read_text())
    assert "fanogan score" in fail("evaluate", f"--run_dir={tmp_path}")


def test_scoring_images_that_are_not_there(trained, tmp_path):
    line = fail("score", f"--run_dir={trained[0]}", f"--images={tmp_path / 'none.png'}", f"--output={tmp_path / 'o.csv'}")
    assert "none.png" in line and not (tmp_path / "o.csv").exists()


def test_scoring_with_another_threshold_than_calibrated(trained):
    line = fail("score", f"--run_dir={trained[0]}", "--false_positive_rate=0.2")
    assert "--false_positive_rate" in line and "fanogan train" in line


def test_diverging_loss_names_step_and_keeps_the_checkpoint(tmp_path):
    folder = tmp_path / "r"
    succeed("train", *TINY, f"--run_dir={folder}", "--phase=gan")
    line = fail("train", f"--run_dir={folder}", "--phase=gan", "--iterations=50", "--learning_rate=1e30")
    assert "iteration 5" in line and str(folder / "gan" / "checkpoints" / "step-4") in line and "learning rate" in line
    assert (folder / "gan" / "checkpoints" / "step-4.index").is_file()


def test_two_processes_on_one_run(tmp_path):
    folder = tmp_path / "r"
    folder.mkdir()
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process" in fail("train", *TINY, f"--run_dir={folder}")
