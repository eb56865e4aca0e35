"""Trains one model on one data set: the front door of all experiments.

    python -m experiments.train --dataset=frappe --raw_dir=FOLDER --preset=released \
        --seed=0 --output_dir=runs/frappe-released-0

Prepares the data set if need be, trains, keeps the weights that are best on
validation, and writes the run's folder (see `interhat_tf/training/loop.py`).
`--resume` goes on with a run that was stopped. All hyperparameters default to
the preset's and, where the paper gives them, to its Table 2 for the data set.
"""

import inspect

import keras
import tensorflow as tf
from absl import flags

from experiments.common.data_flags import DATA_DIR, DATASET, RAW_DIR
from experiments.common.running import run_program
from interhat_tf.commands.conditions import condition
from interhat_tf.explanation.callback import AttentionHeatmaps
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.models import MODELS, PRESETS
from interhat_tf.models.presets import hyperparameters
from interhat_tf.preprocessing.rows import SPLITS
from interhat_tf.training.distribution import STRATEGIES
from interhat_tf.training.loop import EVALUATION_BATCH_SIZE, OPTIMIZERS, TrainingSettings, train
from interhat_tf.training.step import use_one_thread_an_operation

OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "the run's folder")
MODEL = flags.DEFINE_enum("model", "interhat", list(MODELS), "model to train")
PRESET = flags.DEFINE_enum("preset", "released", list(PRESETS), "form of the model")
SEED = flags.DEFINE_integer("seed", 0, "seed of the weights, the records' order and dropout")
RESUME = flags.DEFINE_bool("resume", False, "go on with the run in output_dir, if there is one")
TEST = flags.DEFINE_bool("test", True, "evaluate the test split after training")
HEATMAP_WHERE = flags.DEFINE_multi_string(
    "heatmap_where", [], "draw the mean attention where FIELD=VALUE,FIELD=VALUE,... holds"
)
HEATMAP_SPLITS = flags.DEFINE_multi_enum(
    "heatmap_splits", ["validation"], SPLITS, "splits that the heat maps are about"
)
HEATMAP_EPOCHS = flags.DEFINE_multi_integer(
    "heatmap_epochs", None, "epochs, from 0, after which heat maps are drawn; default: the end"
)
DETERMINISTIC = flags.DEFINE_bool(
    "deterministic", False, "make TensorFlow's ops deterministic on a GPU; disables XLA"
)
DTYPE = flags.DEFINE_enum(
    "dtype", "float32", ["float32", "mixed_bfloat16", "float64"], "type that the model computes in"
)
STRATEGY = flags.DEFINE_enum(
    "strategy", "one", list(STRATEGIES), "one device, all GPUs here, or all workers of TF_CONFIG"
)
MICROBATCH_SIZE = flags.DEFINE_integer(
    "microbatch_size", None, "records whose gradient is computed at a time, on a CPU; 0 for all"
)

MODEL_FLAGS = [
    flags.DEFINE_integer("embedding_dim", None, "embedding size d"),
    flags.DEFINE_integer("num_heads", None, "number of self-attention heads h"),
    flags.DEFINE_integer("key_dim", None, "width d_K of a head"),
    flags.DEFINE_integer("attention_size", None, "width s of the aggregations"),
    flags.DEFINE_integer("order", None, "highest order of interaction k"),
    flags.DEFINE_string("attention_activation", None, "activation of Q, K, V; linear for none"),
    flags.DEFINE_bool("attention_bias", None, "biases in the self-attention layer"),
    flags.DEFINE_bool("residual", None, "residual paths, layer norms, feed-forward of 4d units"),
    flags.DEFINE_bool("aggregation_bias", None, "biases in the aggregations"),
    flags.DEFINE_integer("order_attention_size", None, "width of the attention over orders"),
    flags.DEFINE_string("order_activation", None, "activation there; linear for none"),
    flags.DEFINE_multi_integer("mlp_units", None, "width of a hidden layer of the output MLP"),
    flags.DEFINE_bool("mlp_bias", None, "biases in the output MLP"),
    flags.DEFINE_bool("batch_norm", None, "batch normalisation in the MLP"),
    flags.DEFINE_integer("num_cross_layers", None, "layers of DCN's and DCNv2's cross network"),
    flags.DEFINE_string("structure", None, "DCNv2's: parallel or stacked"),
    flags.DEFINE_multi_integer("cin_units", None, "feature maps of a layer of xDeepFM's CIN"),
    flags.DEFINE_string("cin_activation", None, "activation of the CIN; linear for none"),
    flags.DEFINE_integer("num_layers", None, "AutoInt's interacting layers"),
    flags.DEFINE_string("embeddings_initializer", None, "initializer of the embeddings"),
    flags.DEFINE_float("dropout", None, "dropout rate"),
    flags.DEFINE_float("embedding_l2", None, "L2 penalty of the embeddings"),
    flags.DEFINE_float("aggregation_l2", None, "L2 penalty of the aggregations' W and b"),
    flags.DEFINE_float("dense_l2", None, "L2 penalty of the other weights"),
]
TRAINING_FLAGS = [
    flags.DEFINE_float("learning_rate", None, "Adam's step size"),
    flags.DEFINE_float("beta_2", None, "Adam's decay of the second moment"),
    flags.DEFINE_enum("optimizer", None, list(OPTIMIZERS), "exact, or lazy on the embeddings"),
    flags.DEFINE_integer("batch_size", None, "records a step"),
    flags.DEFINE_integer("max_epochs", None, "epochs after which training stops in any case"),
    flags.DEFINE_integer("patience", None, "epochs without a gain on validation before it stops"),
    flags.DEFINE_float("learning_rate_factor", None, "drop after an epoch without a gain"),
    flags.DEFINE_bool("jit_compile", None, "compile the training step with XLA"),
    MICROBATCH_SIZE,
    flags.DEFINE_integer("input_shards", None, "parts of a batch, each of files of its own"),
    flags.DEFINE_float("checkpoint_minutes", None, "time between checkpoints within an epoch"),
]


def main(_):
    if DETERMINISTIC.value:
        tf.config.experimental.enable_op_determinism()
    build = MODELS[MODEL.value]
    unknown = set(_given(MODEL_FLAGS)) - set(inspect.signature(build).parameters)
    if unknown:
        raise ValueError(f"{MODEL.value} has no argument {', '.join(sorted(unknown))}")
    arguments, training = hyperparameters(DATASET.value, PRESET.value, MODEL.value)
    arguments |= _given(MODEL_FLAGS)
    training |= _given(TRAINING_FLAGS)
    if MICROBATCH_SIZE.value is None and not in_microbatches(arguments, training):
        training.pop("microbatch_size", None)
    if training.get("microbatch_size"):
        use_one_thread_an_operation()
    strategy = STRATEGIES[STRATEGY.value]()
    data = prepared_dataset(DATASET.value, DATA_DIR.value, RAW_DIR.value)

    keras.utils.set_random_seed(SEED.value)
    with strategy.scope():
        model = build(data.schema, dtype=DTYPE.value, **arguments)
    if HEATMAP_WHERE.value and not hasattr(model, "explain"):
        raise ValueError(f"{MODEL.value} has no attention that a heat map could show")
    config = {
        "dataset": DATASET.value,
        "model": MODEL.value,
        "preset": PRESET.value,
        "arguments": arguments,
        "dtype": DTYPE.value,
        "deterministic": DETERMINISTIC.value,
    }
    report = train(
        model,
        data,
        OUTPUT_DIR.value,
        TrainingSettings(seed=SEED.value, **training),
        config=config,
        callbacks=[heatmaps(data)] if hasattr(model, "explain") else [],
        resume=RESUME.value,
        test=TEST.value,
    )
    for split in ("validation", "test"):
        if split in report:
            auc, logloss = report[split]["auc"], report[split]["logloss"]
            print(f"{split}: auc {auc:.5f}, logloss {logloss:.5f}")


def in_microbatches(arguments, training):
    """Returns whether a step may be computed in microbatches, and is the faster for it."""
    whole = training.get("jit_compile") or arguments.get("dropout") or arguments.get("batch_norm")
    return not whole and not tf.config.list_physical_devices("GPU")


def heatmaps(data):
    """Returns the callback that draws the mean attention of all records and of the conditions'."""
    batches = data.evaluation_batches(HEATMAP_SPLITS.value[0], EVALUATION_BATCH_SIZE)
    for split in HEATMAP_SPLITS.value[1:]:
        batches = batches.concatenate(data.evaluation_batches(split, EVALUATION_BATCH_SIZE))
    conditions = {"all": None}
    for text in HEATMAP_WHERE.value:
        conditions[text] = condition(data, text)
    return AttentionHeatmaps(
        f"{OUTPUT_DIR.value}/attention",
        batches=batches,
        conditions=conditions,
        epochs=HEATMAP_EPOCHS.value,
    )


def _given(holders):
    return {holder.name: holder.value for holder in holders if holder.value is not None}


if __name__ == "__main__":
    run_program(main, required=["dataset", "output_dir"])
