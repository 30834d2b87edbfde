import pytest

from fanogan_tf.comparison.runs import plan
from fanogan_tf.errors import UserError
from fanogan_tf.options import Options


def planned(tmp_path, methods=("fanogan", "critic"), seeds=1, **settings):
    return plan(tmp_path, Options(**{"dataset": "mnist"} | settings), list(methods), seeds, 0)


def test_every_class_seed_and_method_once(tmp_path):
    jobs = planned(tmp_path, seeds=2, seed=5, normal_class="all")
    assert len(jobs) == 10 * 2 * 2
    places = [job.run.path.relative_to(tmp_path).as_posix() for job in jobs]
    assert len(set(places)) == len(places)
    assert places[:4] == [f"normal_0/seed_{seed}/{name}" for seed in (5, 6) for name in ("fanogan", "critic")]
    assert places[-1] == "normal_9/seed_6/critic" and jobs[-1].options.normal_class == "9" and jobs[-1].options.seed == 6
    assert str(jobs[-1]) == "normal 9, seed 6, A_D (critic)"


def test_some_classes_and_the_opposite_protocol(tmp_path):
    jobs = planned(tmp_path, methods=["pca"], normal_class="0, 8")
    assert [(job.protocol, job.options.normal_class) for job in jobs] == [("normal 0", "0"), ("normal 8", "8")]
    jobs = planned(tmp_path, methods=["pca"], anomalous_class="all")
    assert [job.options.anomalous_class for job in jobs] == list("0123456789")
    assert jobs[3].run.path == tmp_path / "anomalous_3" / "seed_0" / "pca"


def test_a_name_with_a_slash_is_one_folder(tmp_path):
    (job,) = planned(tmp_path, methods=["pca"], dataset="fashion_mnist", normal_class="T-shirt/top")
    assert job.run.path.parent.parent == tmp_path / "normal_T-shirt-top" and job.options.normal_class == "T-shirt/top"


def test_variants_share_one_gan(tmp_path):
    fanogan, critic = planned(tmp_path)
    assert fanogan.gan is None and fanogan.options.gan_from == ""
    assert critic.options.gan_from == str(fanogan.run.path)
    assert critic.gan.options == fanogan.options and critic.gan.run.path == fanogan.run.path
    assert fanogan.run.cache == critic.run.cache == tmp_path / "cache"


def test_data_without_classes_are_one_protocol(tmp_path):
    (job,) = planned(tmp_path, methods=["pca"], dataset="folder")
    assert job.protocol == "" and job.run.path == tmp_path / "seed_0" / "pca" and str(job) == "seed 0, PCA"
    for settings in ({"normal_class": "all"}, {"anomalous_class": "1"}, {"normal_class": "1,2"}):
        with pytest.raises(UserError, match=r"_class=.*--dataset=folder has no classes"):
            planned(tmp_path, dataset="folder", **settings)
