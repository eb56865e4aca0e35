"""What all models of the registry offer alike."""

import importlib
import inspect
import pathlib

import numpy as np
import pytest

from interhat_tf import CrossedField, Field, Schema
from interhat_tf.models import MODELS
from tests.conftest import run_python
from tests.models.baselines.contract import ModelContract
from tests.numpy_reference import randomise

SMALL = {
    "embedding_dim": 4,
    "mlp_units": (6, 5),
    "num_cross_layers": 2,
    "cin_units": (3, 2),
    "num_layers": 2,
    "num_heads": 2,
    "key_dim": 3,
    "attention_size": 3,
    "embedding_l2": 0.1,
}
HISTORY_MODELS = ("din", "dien")
"""Models that need a history of a candidate; `baselines/history_model_test.py` has their tests."""
MODELS_OF_ANY = [name for name in MODELS if name not in HISTORY_MODELS]
CASES = {name: (name, {}) for name in MODELS_OF_ANY}
CASES |= {
    "dcn_v2_stacked": ("dcn_v2", {"structure": "stacked"}),
    "autoint_without_mlp": ("autoint", {"mlp_units": ()}),
    # Heads divide the last widths of both streams; half of a block's units are products.
    "finalmlp": ("finalmlp", {"second_mlp_units": (5,), "num_heads": 5}),
    "finalnet": ("finalnet", {"mlp_units": (6,), "second_mlp_units": (4,)}),
}

MIXED_NUMBERS = [
    {"price": "piecewise", "age": "periodic"},
    {"price": "buckets", "age": "autodis"},
]


def build_small(case, schema):
    name, arguments = CASES[case]
    return build_small_model(name, schema, **arguments)


def build_small_model(name, schema, **arguments):
    known = inspect.signature(MODELS[name]).parameters
    sizes = {argument: size for argument, size in SMALL.items() if argument in known}
    return randomise(MODELS[name](schema, **{**sizes, **arguments}))


@pytest.mark.parametrize("case", CASES)
def test_a_missing_number_is_a_value_of_its_own(case, schema, batch):
    """Where its vectors are those of the number 0.5, a model predicts what it does for 0.5."""
    numerical = [Field(f.name, f.kind, may_be_missing=True) for f in schema.numerical]
    model = build_small(case, Schema([*schema.categorical, *numerical]))
    numbers = np.where(np.arange(32).reshape(16, 2) % 3, batch["numerical"], np.nan)
    missing = {**batch, "numerical": numbers.astype("float32")}
    half = {**batch, "numerical": np.nan_to_num(missing["numerical"], nan=0.5)}
    differences = np.abs(model(missing) - model(half))
    assert (differences[np.isnan(numbers).any(axis=1)] > 1e-5).mean() > 0.5
    tables = {w.path: w for w in model.weights if w.path.endswith("/numerical_table")}
    for path, table in tables.items():
        (own,) = (w for w in model.weights if w.path == path.replace("numerical", "missing"))
        own.assign(0.5 * table)
    np.testing.assert_allclose(model(missing), model(half), rtol=1e-5, atol=1e-6)


def contracts(cls):
    for derived in cls.__subclasses__():
        yield derived
        yield from contracts(derived)


def test_every_baseline_keeps_the_contract():
    folder = pathlib.Path(__file__).parent / "baselines"
    for path in folder.glob("*_test.py"):
        importlib.import_module(f"tests.models.baselines.{path.stem}")
    tested = {cls.name for cls in contracts(ModelContract) if cls.__name__.startswith("Test")}
    assert tested == set(MODELS) - {"interhat", "interhat_s"}


@pytest.mark.parametrize("name", MODELS_OF_ANY)
def test_a_model_that_was_called_prints_its_summary(name, schema, batch):
    model = MODELS[name](schema)
    model(batch)
    lines = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert f"Total params: {model.count_params():,}" in text
    assert "?" not in text, "an output shape is not known"


@pytest.mark.parametrize("name", MODELS_OF_ANY)
def test_output_shape_is_known_before_a_call(name, schema):
    shapes = {"categorical": (None, 2), "numerical": (None, 2)}
    assert MODELS[name](schema).compute_output_shape(shapes) == (None, 1)


FRESH_PROCESS = """
import sys
import interhat_tf, keras, numpy as np
folder = sys.argv[1]
batch = dict(np.load(f"{folder}/batch.npz"))
models = {name: keras.saving.load_model(f"{folder}/{name}.keras") for name in sys.argv[2:]}
call = lambda: {name: model(batch) for name, model in models.items()}
if keras.backend.backend() == "jax":
    import jax
    call = jax.jit(call)  # One compilation instead of one for each small operation.
np.savez(f"{folder}/logits.npz", **{name: np.asarray(v) for name, v in call().items()})
"""


@pytest.mark.usefixtures("quick_processes")
@pytest.mark.slow
@pytest.mark.parametrize(("backend", "tolerance"), [("tensorflow", 0), ("jax", 1e-4)])
def test_saved_models_load_in_a_fresh_process(schema, batch, tmp_path, backend, tolerance):
    """Bit for bit on the same backend; Keras' JAX backend computes the same logits."""
    history = Field("history", "sequence", 7, max_length=5, shares="app")
    seen = np.where(np.arange(5) < np.arange(16)[:, None] % 6, np.arange(80).reshape(16, 5) % 7, -1)
    batch = {**batch, "multivalued": seen}
    np.savez(tmp_path / "batch.npz", **batch)
    built = {case: build_small(case, schema) for case in CASES}
    with_history = Schema([*schema.record_fields, history])
    built |= {name: build_small_model(name, with_history) for name in HISTORY_MODELS}
    built["target"] = build_small_model("interhat", with_history, pooling={"history": "target"})
    for i, names in enumerate(MIXED_NUMBERS):
        built[f"numbers_{i}"] = randomise(MODELS["dnn"](schema, numerical_embedding=names))
    for name, model in built.items():
        model.save(tmp_path / f"{name}.keras")
    run_python("-c", FRESH_PROCESS, tmp_path, *built, KERAS_BACKEND=backend)
    logits = np.load(tmp_path / "logits.npz")
    for name, model in built.items():
        np.testing.assert_allclose(
            logits[name], model(batch), rtol=tolerance, atol=tolerance, err_msg=name
        )


@pytest.mark.parametrize("name", ["interhat", "lr", "ffm", "deepfm"])
def test_a_cross_is_a_field_whose_ids_the_model_makes(name, schema, batch):
    cross = CrossedField(("app", "site"), [[1, 2], [3, 3], [2, 1]])
    crossed = schema.with_crosses([cross])
    model, plain = MODELS[name](crossed), MODELS[name](Schema(crossed.fields))
    for weight in model.weights:
        weight.assign(np.random.default_rng(1).normal(size=weight.shape))
    plain.set_weights(model.get_weights())
    ids = [*batch["categorical"], [1, 2], [3, 3]]
    numbers = np.concatenate([batch["numerical"], batch["numerical"][:2]])
    numbers_of = {(1, 2): 1, (2, 1): 2, (3, 3): 3}
    with_cross = [[*row, numbers_of.get(tuple(row), 0)] for row in ids]
    np.testing.assert_allclose(
        model({"categorical": np.array(ids), "numerical": numbers}),
        plain({"categorical": np.array(with_cross), "numerical": numbers}),
        rtol=1e-5,
    )
