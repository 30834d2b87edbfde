"""Packaging. TensorFlow itself comes through an extra, so that nobody who has one build of it is made to install another."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="fanogan_tf",
    version="0.1.0",
    description="f-AnoGAN and the methods it is compared with, in TensorFlow/Keras: anomaly detection in images",
    long_description=(Path(__file__).parent / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11",
    packages=find_packages(include=["fanogan_tf", "fanogan_tf.*"]),
    install_requires=[
        "keras>=3.15,<3.16",
        "tensorboard>=2.21,<2.22",
        "numpy>=2.0,<3",
        "scikit-learn>=1.6,<2",
        "scipy>=1.14,<2",
        "joblib>=1.4,<2",
        "pillow>=11,<14",
        "absl-py>=2.1,<3",
        "matplotlib>=3.9,<4",
        "tqdm>=4.66,<5",
    ],
    extras_require={
        "cpu": ["tensorflow-cpu>=2.21,<2.22"],
        "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
        "oct": ["eyepy>=0.21,<0.22", "pydicom>=3,<4", "nibabel>=5.3,<6", "PyMaxflow>=1.3,<2"],
        # KServe, Beam and TensorFlow agree on protobuf 6; newer ones are not tested together.
        "serving": ["kserve>=0.21,<0.22", "protobuf>=6.33,<6.34"],
        "archive": ["apache-beam>=2.77,<2.78", "protobuf>=6.33,<6.34", "pyarrow>=25,<26"],
        "test": ["pytest>=8,<10", "pytest-xdist>=3.6,<4", "ruff>=0.9,<1"],
    },
)
