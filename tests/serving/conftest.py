import pytest

from fanogan_tf.serving import saved_model
from fanogan_tf.serving.export import export
from tests.helpers import served_models as made


@pytest.fixture(scope="session")
def detector():
    """f-AnoGAN's. Shared: to be left as it is."""
    return made.detector()


@pytest.fixture(scope="session")
def exported(detector, tmp_path_factory):
    """The folder of the detector's versions, of which there is one. Shared: to be left as it is."""
    folder = tmp_path_factory.mktemp("models") / "digits"
    export(detector, folder)
    return folder


@pytest.fixture(scope="session")
def served(exported):
    return saved_model.load(exported)
