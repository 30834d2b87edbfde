"""Packaging. TensorFlow itself comes through an extra, so that nobody who has one build of it is made to install another."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# Two lines of TensorFlow, see docs/guides/addons.md.
DEFAULT_LINE = ["keras>=3.15,<3.16", "tensorboard>=2.21,<2.22", "numpy>=2.0,<3"]
ADDONS_LINE = ["keras>=2.15,<2.16", "tensorboard>=2.15,<2.16", "numpy>=1.26,<2"]

VERSION = re.search(r'^__version__ = "(.+)"$', (HERE / "fanogan_tf" / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE)[1]

setup(
    name="fanogan_tf",
    version=VERSION,
    description="f-AnoGAN and the methods it is compared with, in TensorFlow/Keras: anomaly detection in images",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    # The flagfiles live in flags/ and come into the package as fanogan_tf/flagfiles.
    packages=[*find_packages(include=["fanogan_tf", "fanogan_tf.*"]), "fanogan_tf.flagfiles"],
    package_dir={"fanogan_tf.flagfiles": "flags"},
    package_data={
        "fanogan_tf": ["py.typed", "archive/log4j2.properties", "reading/page/*/*"],
        "fanogan_tf.flagfiles": ["*.flags"],
    },
    entry_points={"console_scripts": ["fanogan=fanogan_tf.cli:main"]},
    install_requires=[
        # Of either line; the extra that brings a TensorFlow says of which.
        "keras>=2.15,<3.16" + "".join(f",!=3.{minor}.*" for minor in range(15)),
        "tensorboard>=2.15,<2.22",
        "numpy>=1.26,<3",
        "scikit-learn>=1.6,<2",
        "scipy>=1.14,<2",
        "joblib>=1.4,<2",
        "pillow>=11,<14",
        "absl-py>=2.1,<3",
        "matplotlib>=3.9,<4",
        "tqdm>=4.66,<5",
    ],
    extras_require={
        "cpu": ["tensorflow-cpu>=2.21,<2.22", *DEFAULT_LINE],
        "gpu": ["tensorflow[and-cuda]>=2.21,<2.22", *DEFAULT_LINE],
        "addons": ["tensorflow-cpu>=2.15.1,<2.16", *ADDONS_LINE, "tensorflow-addons>=0.23,<0.24"],
        "dicom": ["pydicom>=3,<4"],
        "reading": [
            "highdicom>=0.28,<0.29",
            "pydicom>=3,<4",
            "pynetdicom>=3.0.4,<4",
            "sqlalchemy>=2.1,<3",
            "dicomweb-client>=0.61,<0.62",
            # The readers' page.
            "starlette>=1.0,<2",
            "jinja2>=3.1,<4",
            "itsdangerous>=2.2,<3",
            "python-multipart>=0.0.20,<1",
            "uvicorn>=0.38,<1",
        ],
        "oct": ["eyepy>=0.21,<0.22", "pydicom>=3,<4", "nibabel>=5.3,<6", "PyMaxflow>=1.3,<2"],
        # KServe and TensorFlow agree on protobuf 6; newer ones are not tested together.
        "serving": ["kserve>=0.21,<0.22", "protobuf>=6.33,<6.34"],
        "archive": ["pyspark>=4.1,<4.4", "pyarrow>=25,<26"],
        "formats": [
            "tf2onnx>=1.17,<1.18",
            "onnx>=1.20,<2",
            "onnxruntime>=1.24,<2",
            "openvino>=2026.1,<2027",
            "ai-edge-litert>=2.1,<3",
        ],
        "test": [
            "pytest>=8,<10",
            "pytest-xdist>=3.6,<4",
            "ruff>=0.9,<1",
            "mypy>=1.18,<2",
            "playwright>=1.50,<2",
            "axe-playwright-python>=0.1.4,<0.2",
            "codespell>=2.4,<3",
            "mkdocs>=1.6,<2",
            "mkdocstrings[python]>=1,<2",
            # The documentation's notebooks.
            "nbconvert>=7.16,<8",
            "ipykernel>=6.29,<8",
        ],
    },
)
