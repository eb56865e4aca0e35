"""Rows a second of every model and part, in shares of the machine's ceilings.

    python -m experiments.speed.benchmark                      # or make benchmark
    python -m experiments.speed.benchmark --compiled --precision=mixed_bfloat16

At the sizes of Criteo, Avazu and Frappe: the training step, the prediction and
the explanation of every model of the registry, and of the printed equations with
d_K = d / h, in turn in one process, all with the same embedding layer, optimizer
and loop; the optimizers alone; and the input pipeline alone and under the step.
Steps and predictions are of whole batches; `experiments.speed.pieces` has InterHAt's in
pieces. Writes `experiments/results/benchmark/DEVICE/SIZE_ROWS_PRECISION.json`, with
`xla` in its name if XLA compiled. About four minutes a size on 2 cores, with
nothing else running; a GPU is used where there is one: `make benchmark-gpu`.
"""

import datetime
import gc
import pathlib
import statistics
import time

import keras
import tensorflow as tf
from absl import flags
from tqdm.auto import tqdm

from data.synthetic_rules.synthetic_rules_dataset_builder import Builder, RuleConfig
from experiments.common.markdown import markdown_table
from experiments.common.model_flags import chosen_models
from experiments.common.results import RESULTS_DIR
from experiments.common.running import run_program
from experiments.speed.ceilings import ceilings
from experiments.speed.cost import cost
from experiments.speed.paper_models import INTERHAT, build
from experiments.speed.paper_sizes import SIZES, batches_of, schema_of
from experiments.speed.timing import Training, device, reading
from interhat_tf.input_pipeline.catalog import prepare
from interhat_tf.models import MODELS
from interhat_tf.ops import own_operations
from interhat_tf.training.optimizers import Adam, LazyAdam
from interhat_tf.utils.files import write_json
from interhat_tf.utils.provenance import versions

ALL = [*INTERHAT, *(name for name in MODELS if name not in INTERHAT)]
SHARES = ("share_of_flops", "share_of_bandwidth")
OPTIMIZERS = {"Adam": Adam, "LazyAdam": LazyAdam, "Keras' Adam": keras.optimizers.Adam}

BENCHMARK_SIZES = flags.DEFINE_multi_enum("sizes", list(SIZES), list(SIZES), "sizes of the records")
BATCH = flags.DEFINE_integer("rows_a_step", 2048, "records a step")
REPEATS = flags.DEFINE_integer("repeats", 5, "rounds that count; one before them does not")
TURN_SECONDS = flags.DEFINE_float("turn_seconds", 0.4, "seconds of a turn; at least one step")
COMPILED = flags.DEFINE_bool("compiled", False, "compile steps and predictions with XLA")
PRECISION = flags.DEFINE_enum(
    "precision", "float32", ["float32", "mixed_bfloat16"], "type that the models compute in"
)
PIPELINE_ROWS = flags.DEFINE_integer("pipeline_rows", 1_000_000, "rows that the pipeline reads")
BENCHMARK_DATA = flags.DEFINE_string("benchmark_data", "prepared", "folder of the prepared rows")


def main(_):
    models = chosen_models(ALL)
    measured = ceilings()
    for size in BENCHMARK_SIZES.value:
        parts = {
            **of_models(models, size),
            **{("optimizer", name): timed for name, timed in of_optimizers(size).items()},
        }
        rows = in_turn(parts, size)
        for row in rows:
            seconds = row["seconds_per_batch"]
            row["rows_per_second"] = BATCH.value / seconds
            if "bytes" in row:
                row["share_of_flops"] = row["flops"] / seconds / measured["flops"]
                row["share_of_bandwidth"] = row["bytes"] / seconds / measured["bytes"]
        summary = {
            "date": datetime.date.today().isoformat(),
            "versions": versions(),
            "device": device(),
            "size": size,
            "batch_size": BATCH.value,
            "compiled": COMPILED.value,
            "precision": PRECISION.value,
            "repeats": REPEATS.value,
            "ceilings": measured,
            "parts": rows,
            "input": of_input(size, models[0]),
        }
        kind = f"{BATCH.value}_{'xla_' if COMPILED.value else ''}{PRECISION.value}"
        place = "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
        write_json(
            pathlib.Path(RESULTS_DIR.value) / f"benchmark/{place}/{size}_{kind}.json", summary
        )
        show(summary)
        del parts
        # The next size's tables would not fit beside these.
        keras.backend.clear_session()
        gc.collect()


def show(summary):
    """Prints what was measured."""
    cells = [
        [
            f"{row['part']} {row['name']}",
            f"{row['rows_per_second']:,.0f}",
            *(f"{row[share]:.0%}" if share in row else "" for share in SHARES),
        ]
        for row in summary["parts"]
    ]
    print(f"\n{summary['size']}, {summary['device']}\n")
    print(markdown_table(["part", "rows/s", "of matrix products", "of bandwidth"], cells))
    print(summary["input"])


class Timed:
    """Something to be called a number of times, and what one call costs.

    Args:
        call: A function of the number of times.
        **cost: `flops` and `bytes` of one time, if they are known.
    """

    def __init__(self, call, **cost):
        self.call, self.cost = call, cost


def in_turn(parts, title):
    """Times parts in turn, round after round; returns the medians and their spread."""
    times, seconds = dict.fromkeys(parts, 1), {key: [] for key in parts}
    for number in tqdm(range(REPEATS.value + 2), desc=title, disable=None):
        for key, part in parts.items():
            start = time.perf_counter()
            part.call(times[key])
            elapsed = time.perf_counter() - start
            # Round 0 traces the functions.
            if number == 1:
                times[key] = max(1, round(TURN_SECONDS.value / elapsed))
            elif number > 1:
                seconds[key].append(elapsed / times[key])
    return [
        {
            "part": part,
            "name": name,
            "seconds_per_batch": statistics.median(seconds[part, name]),
            "seconds_min": min(seconds[part, name]),
            "seconds_max": max(seconds[part, name]),
            **parts[part, name].cost,
        }
        for part, name in parts
    ]


def of_models(names, size):
    """Returns the parts of all models: step, prediction, and explanation where there is one."""
    schema = schema_of(SIZES[size])
    inputs, _ = next(iter(batches_of(schema, BATCH.value, batches=1)))
    parts = {}
    for name in names:
        model = build(name, schema, size, dtype=PRECISION.value)
        training = Training(model, Adam(), BATCH.value, jit_compile=COMPILED.value)
        # Operation by operation; a step of which XLA makes one counts as before it did.
        counted = cost(training.steps, training.batches, tf.constant(1), fields=model.num_fields)
        parts["step", name] = Timed(training.time, **counted)
        parts["prediction", name] = of_batch(model, inputs)
        if hasattr(model, "explain"):
            parts["explanation", name] = of_batch(model.explain, inputs)
    return parts


def of_batch(function, inputs):
    """Returns a part that asks a function about a batch, results fetched."""

    @tf.function(jit_compile=COMPILED.value)
    def compiled(inputs):
        with own_operations():
            return function(inputs)

    def call(times):
        for _ in range(times):
            tf.nest.map_structure(lambda tensor: tensor.numpy(), compiled(inputs))

    return Timed(call)


def of_optimizers(size):
    """Returns the optimizers alone, on InterHAt's weights and the gradients of a batch."""
    schema = schema_of(SIZES[size])
    inputs, labels = next(iter(batches_of(schema, BATCH.value, batches=1)))
    parts = {}
    for name, make in OPTIMIZERS.items():
        # A penalty on the whole table would give every row a gradient.
        model = build("interhat", schema, size, embedding_l2=0.0)
        variables, optimizer = model.trainable_variables, make()
        optimizer.build(variables)
        with tf.GradientTape() as tape:
            logits = model(inputs)[:, 0]  # (B,)
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits))
        gradients = tape.gradient(loss, variables)
        parts[name] = Timed(applied(optimizer, gradients, variables))
    return parts


def applied(optimizer, gradients, variables):
    """Returns a function that applies the same gradients a number of times."""

    @tf.function
    def apply():
        optimizer.apply(gradients, variables)
        return optimizer.iterations.value

    def call(times):
        for _ in range(times):
            apply().numpy()

    return call


def of_input(size, name):
    """Returns how fast the pipeline reads, and what a model's steps wait for it."""
    config = RuleConfig(
        name=f"benchmark_{size}_{PIPELINE_ROWS.value}",
        group=(1,),
        records=PIPELINE_ROWS.value,
        num_fields=len(schema_of(SIZES[size]).fields),
        num_values=1000,
    )
    data = prepare(Builder(config=config, data_dir=BENCHMARK_DATA.value))
    pipeline, copying = reading(size, data, BATCH.value, rounds=2)
    model = build(name, data.schema, size, dtype=PRECISION.value)
    training = Training(model, Adam(), BATCH.value, jit_compile=COMPILED.value)
    batches = data.training_batches(BATCH.value, seed=0)
    # The same kind of records: how often ids come again decides how long a look-up takes.
    sources = {
        "memory": iter(batches.take(4).cache().repeat().prefetch(2)),
        "pipeline": iter(batches),
    }
    training.time(1)
    steps = max(4, round(2 * TURN_SECONDS.value / training.time(1)))
    seconds = {source: [] for source in sources}
    for number in range(REPEATS.value + 1):
        for source, batches in sources.items():
            training.batches = batches
            elapsed = training.time(steps) / steps
            if number:
                seconds[source].append(elapsed)
    shares = [1 - m / p for m, p in zip(seconds["memory"], seconds["pipeline"], strict=True)]
    return {
        "rows_per_second": pipeline["rows_per_second"],
        "copying_rows_per_second": copying["rows_per_second"],
        "model": name,
        "share_of_the_step": statistics.median(shares),
        "shares": shares,
    }


if __name__ == "__main__":
    run_program(main)
