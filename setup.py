"""Installs the library; the data set builders in data/ come along as interhat_tf.datasets."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "interhat_tf/__init__.py").read_text())[1]
LIBRARY = find_packages(include=["interhat_tf*"], exclude=["interhat_tf.datasets"])
DATASETS = ["interhat_tf.datasets", *(f"interhat_tf.datasets.{p}" for p in find_packages("data"))]

DOCS = ["furo>=2025.9", "myst-parser>=5", "sphinx>=9", "sphinx-copybutton>=0.5"]
SERVER = ["fastapi>=0.115", "onnxruntime>=1.20", "uvicorn>=0.30"]
TUNE = ["optuna>=4"]
TREES = ["interpret-core>=0.7", "lightgbm>=4.6"]

setup(
    name="interhat-tf",
    version=VERSION,
    description="InterHAt: interpretable click-through-rate prediction with hierarchical attention",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[*LIBRARY, *DATASETS],
    # Outside the package, whose import loads TensorFlow.
    py_modules=["interhat", "interhat_stand_ins"],
    entry_points={"console_scripts": ["interhat = interhat:main"]},
    package_dir={"interhat_tf.datasets": "data"},
    package_data={
        "interhat_tf": ["py.typed", "explanation/page/*", "kernels/*.cc", "kernels/*.h"],
        **{package: ["*.md", "*.bib", "*.tsv"] for package in DATASETS},
    },
    install_requires=[
        "absl-py>=2",
        # tfds 4.9.10 imports it without declaring it.
        "importlib_resources>=6",
        # The page of explanations.
        "jinja2>=3.1",
        "keras>=3.12,<4",
        "keras-rs>=0.3",
        "matplotlib>=3.9",
        "numpy>=2",
        "pandas>=2",
        "pyarrow>=18",
        # Platt scaling and isotonic regression.
        "scikit-learn>=1.5",
        # `train` writes the history for it; TensorFlow's wheel no longer brings it along.
        "tensorboard>=2.20",
        "tensorflow>=2.20",
        "tensorflow-datasets>=4.9.9",
        "tqdm>=4.66",
    ],
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.20"],
        # The command `tfds build` imports mlcroissant without declaring it.
        "beam": ["apache-beam>=2.60", "mlcroissant>=1"],
        "onnx": ["onnxruntime>=1.20", "tf2onnx>=1.17"],
        # examples/server.
        "server": SERVER,
        # What `experiments.speed.readers` compares with.
        "readers": ["duckdb>=1", "polars>=1"],
        # Table 3's rows of boosted trees.
        "trees": TREES,
        # `Explanation.to_shap`, for its plots.
        "shap": ["shap>=0.48"],
        # `interhat tune`.
        "tune": TUNE,
        "notebooks": [
            *SERVER,
            "ipykernel>=6",
            "jupyterlab>=4",
            "lightgbm>=4.6",
            "nbclient>=0.10",
            "shap>=0.48",
            "tf2onnx>=1.17",
        ],
        "docs": DOCS,
        "dev": [
            *DOCS,
            *SERVER,
            *TREES,
            *TUNE,
            "apache-beam>=2.60",
            # Property-based tests.
            "hypothesis>=6.100",
            "ipykernel>=6",
            "jax[cpu]>=0.5",
            # The pages of results as HTML.
            "markdown-it-py>=3",
            "mypy>=2",
            "nbclient>=0.10",
            "pytest>=8",
            "pytest-xdist>=3.7",
            "ruff>=0.8",
            "scipy>=1.13",
            "setuptools>=68",
            "shap>=0.48",
            # Its messages: what TensorFlow Serving takes, without its server.
            "tensorflow-serving-api>=2.20",
            "tf2onnx>=1.17",
        ],
    },
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
