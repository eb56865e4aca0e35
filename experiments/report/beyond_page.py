"""The page's parts beyond the paper: steps in pieces, large vocabularies, answers of exports."""

from experiments.common.markdown import interval, spread
from experiments.common.published import TITLES
from experiments.report.pages import Section, Table

KINDS = {
    "whole": "whole batches",
    "pieces": "pieces of {piece_rows}",
    "tensorflow": "whole, TensorFlow's operations alone",
    "keras": "plain Keras",
    "keras_xla": "plain Keras, XLA",
}
OPTIMIZER_TITLES = {"adam": "Adam, exact", "lazy_adam": "LazyAdam"}


def in_pieces(summary):
    """Returns the section on training steps in pieces, or none."""
    if summary is None:
        return []
    rows = [
        [
            row["form"],
            KINDS[row["kind"]].format(piece_rows=row["piece_rows"]),
            f"{row['rows_per_second']['mean']:,.0f} ± {row['rows_per_second']['std']:,.0f}",
            spread(row["gain"], 2),
            spread(row["gain_over_keras"], 2),
        ]
        for row in summary["rows"]
    ]
    about = (
        f"Not in the paper. Training steps of {summary['batch_size']:,} records with the exact "
        "Adam, whole and in pieces: a batch's gradient is the sum over its pieces, whose numbers "
        "stay in a core's cache, and several pieces are computed side by side, each operation "
        "on one thread. Attention and Adam are operations of our own (`interhat_tf.kernels`); "
        "without them the attention maps go through memory several times. Beside them the same "
        "model of Keras' own layers, with Keras' Adam and training function. "
        f"{summary['turns']} turns, in processes of their own. Written on "
        f"{summary['date']} by `python -m experiments.speed.pieces`; TensorFlow "
        f"{summary['versions']['tensorflow']}, {summary['versions']['machine']}."
    )
    header = ["form", "how", "rows/s", "times the whole's", "times plain Keras'"]
    return [Section("Training on a CPU: steps in pieces", [about, Table(header, rows)])]


def scale(vocabulary, lazy):
    """Returns the section, or none.

    Args:
        vocabulary: Summary of `experiments.speed.table_size`, or `None`.
        lazy: Dictionary from a data set's name to its summary of `experiments.speed.lazy_adam`.
    """
    blocks = [*steps(vocabulary), *(block for s in lazy.values() for block in quality(s))]
    if not blocks:
        return []
    about = (
        "Not in the paper. `LazyAdam` touches only those rows of the embeddings that a batch "
        "holds; `Adam` lets all rows' moments decay in every step."
    )
    return [Section("Large vocabularies: the lazy Adam", [about, *blocks])]


def steps(summary):
    """Returns the seconds of a step against the size of the vocabularies."""
    if summary is None:
        return []
    header = ["model", "optimizer", "features", "ms a step", "rows/s", "times the smallest's"]
    rows = [
        [
            TITLES[row["model"]],
            OPTIMIZER_TITLES[row["optimizer"]],
            f"{row['features']:,}",
            f"{row['seconds_per_step']['mean'] * 1e3:,.1f} "
            f"± {row['seconds_per_step']['std'] * 1e3:,.1f}",
            f"{row['rows_per_second']:,.0f}",
            spread(row["against_smallest"], 2),
        ]
        for row in summary["rows"]
    ]
    about = (
        f"Training steps of {summary['batch_size']:,} records of {summary['fields']} fields, "
        f"{summary['rounds']} interleaved rounds. Written on {summary['date']} by "
        f"`python -m experiments.speed.table_size`; {summary['device']}."
    )
    return [about, Table(header, rows)]


def quality(summary):
    """Returns both optimizers' figures on a data set."""
    rows = [
        [
            OPTIMIZER_TITLES[optimizer],
            spread(row["test"]["auc"]),
            spread(row["test"]["logloss"]),
        ]
        for optimizer, row in summary["optimizers"].items()
    ]
    differences = summary["differences"]
    note = f", {summary['data']['note']}" if summary["data"]["note"] else ""
    seeds = len(next(iter(summary["optimizers"].values()))["seeds"])
    about = (
        f"`{summary['data']['set']}`{note}: InterHAt, `{summary['preset']}` without a penalty on "
        f"the embeddings, {seeds} seeds. LazyAdam less Adam, paired by seed: AUC "
        f"{interval(differences['auc'])}, logloss {interval(differences['logloss'])}. Written on "
        f"{summary['date']} by `python -m experiments.speed.lazy_adam`; "
        f"{summary['versions']['machine']}."
    )
    header = ["optimizer", "test AUC", "test logloss"]
    return [about, Table(header, rows)]


def serving(summary):
    """Returns the section on how long exported models take to answer, or none."""
    if summary is None:
        return []
    rows = [
        [
            row["export"],
            f"{row['records']:,}",
            f"{row['p50'] * 1e3:,.2f}",
            f"{row['p99'] * 1e3:,.2f}",
        ]
        for row in summary["rows"]
    ]
    calls = ", ".join(f"{calls} of {int(n):,}" for n, calls in summary["calls"].items())
    about = (
        f"Not in the paper. InterHAt, `released`, of {summary['size'].capitalize()}'s sizes, "
        f"exported and asked in turn: {calls} records; every answer is the model's own within "
        f"1e-5. Written on {summary['date']} by `python -m experiments.speed.latency`; TensorFlow "
        f"{summary['versions']['tensorflow']}, ONNX Runtime {summary['versions']['onnxruntime']}, "
        f"{summary['versions']['machine']}."
    )
    return [
        Section(
            "Serving: time to answer",
            [about, Table(["export", "records", "p50, ms", "p99, ms"], rows)],
        )
    ]
