"""The page's parts on speed: all models', a step's profile, what it grows with, several devices."""

from experiments.common.published import TITLES
from experiments.report.figures import scaling_figure
from experiments.report.pages import Section, Table, picture
from experiments.speed.paper_sizes import SIZES

FORMS = {
    "interhat": "InterHAt, released",
    "interhat_paper": "InterHAt, paper, d_K = d / h",
}
PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16, logits and weights float32"}
PROFILED = 10


def title(model):
    """Returns what the tables call a model."""
    return FORMS.get(model) or TITLES[model]


def benchmark(summaries):
    """Returns the section on all models' rows a second, or none.

    Args:
        summaries: Summaries of `experiments.speed.benchmark`, one for each size and way to compute.
    """
    if not summaries:
        return []
    about = (
        "Not in the paper. Training steps with the exact Adam, predictions and explanations of all "
        "models, in turn in one process, on the same embedding, optimizer and loop, with whole "
        "batches; medians. Operations are those of a step's matrix products, bytes what every "
        "TensorFlow operation of it reads and writes, counted on its graph: what stays in a cache "
        "or is fused never reaches the memory, so that their share of its bandwidth can pass 100%. "
        "Written by `python -m experiments.speed.benchmark`, with `--compiled` and `--precision` "
        "where it says so."
    )
    in_order = sorted(summaries, key=lambda summary: list(SIZES).index(summary["size"]))
    return [
        Section(
            "Speed: all models, in shares of what the machine can do",
            [about, *(block for summary in in_order for block in _benchmark(summary))],
        )
    ]


def _benchmark(summary):
    measured = {}
    for row in summary["parts"]:
        measured.setdefault(row["name"], {})[row["part"]] = row
    models = {name: parts for name, parts in measured.items() if "step" in parts}
    order = sorted(models, key=lambda name: -models[name]["step"]["rows_per_second"])
    batch = summary["batch_size"]
    rows = [
        [
            title(name),
            f"{models[name]['step']['rows_per_second']:,.0f}",
            f"{models[name]['step']['flops'] / batch / 1e6:.2f}",
            f"{models[name]['step']['bytes'] / batch / 1e3:,.0f}",
            f"{models[name]['step']['map_bytes'] / models[name]['step']['bytes']:.0%}",
            f"{models[name]['step']['share_of_flops']:.0%}",
            f"{models[name]['step']['share_of_bandwidth']:.0%}",
            *(
                f"{models[name][part]['rows_per_second']:,.0f}" if part in models[name] else "–"
                for part in ("prediction", "explanation")
            ),
        ]
        for name in order
    ]
    header = [
        *("model", "training rows/s", "10⁶ operations a row", "kB a row", "about pairs of fields"),
        *("of the product rate", "of the bandwidth", "predicted rows/s", "explained rows/s"),
    ]
    optimizers = ", ".join(
        f"{name} {parts['optimizer']['seconds_per_batch'] * 1e3:,.1f} ms"
        for name, parts in measured.items()
        if "optimizer" in parts
    )
    read, limits = summary["input"], summary["ceilings"]
    compiled = ", compiled by XLA" if summary["compiled"] else ""
    about = (
        f"**{summary['size'].capitalize()}'s sizes**, batches of {batch:,}, "
        f"{PRECISIONS[summary['precision']]}{compiled}. Ceilings: {limits['flops'] / 1e9:,.0f} "
        f"GFLOP/s, {limits['bytes'] / 1e9:,.1f} GB/s. Optimizers alone, on InterHAt's weights and "
        f"a batch's gradients: {optimizers}. The input pipeline reads "
        f"{read['rows_per_second']:,.0f} rows/s; of the time of a step that it feeds, of "
        f"{title(read['model'])}, records in memory would save {read['share_of_the_step']:+.1%}. "
        f"{summary['repeats']} rounds, {summary['device']}, {summary['date']}."
    )
    fold = f"{summary['size'].capitalize()}'s sizes, {summary['precision']}{compiled}: all models"
    return [about, Table(header, rows, fold=fold)]


def profile(summary):
    """Returns the section on where a step's time goes, or none."""
    if summary is None:
        return []
    rows = [
        [
            title(name),
            row["operation"],
            f"{row['times']:,}",
            f"{row['ms']:.1f}",
            f"{row['ms'] / found['ms']:.0%}",
        ]
        for name, found in summary["models"].items()
        for row in found["operations"][:PROFILED]
    ]
    seconds = ", ".join(f"{title(m)} {f['ms']:,.0f} ms" for m, f in summary["models"].items())
    about = (
        f"One step of {summary['batch_size']:,} records of Criteo's sizes on one thread, as "
        f"TensorFlow's profiler has it: {seconds}. The {PROFILED} kinds of operations that take "
        f"longest. Written on {summary['date']} by `python -m experiments.speed.profile`; "
        f"{summary['device']}."
    )
    header = ["model", "operation", "times", "ms", "of the step"]
    return [
        Section(
            "Speed: where a step's time goes",
            [about, Table(header, rows, fold="Operations of a step")],
        )
    ]


def scaling(summary):
    """Returns the section on rows a second against what a step grows with, or none."""
    if summary is None:
        return []
    lines = " ".join(
        f"{title(model)}: {found['line']['seconds_each'] * 1e3:.1f} ms for each order beside "
        f"{found['line']['seconds_at_0'] * 1e3:,.0f} ms, a line that explains "
        f"{found['line']['r2']:.1%} of the variance."
        for model, found in summary["axes"].get("order", {}).items()
    )
    about = (
        "Not in the paper. From Criteo's sizes and Table 2, one thing changed at a time: "
        "`released`, batches of 2,048 in one piece, the exact Adam. The paper says that the cost "
        f"of the orders is linear in k; seconds a step against k: {lines} {summary['rounds']} "
        f"interleaved rounds. Written on {summary['date']} by "
        f"`python -m experiments.speed.scaling`; {summary['device']}."
    )
    rows = [
        [
            axis,
            title(model),
            f"{row['value']:,}",
            f"{row['rows_per_second']:,.0f}",
            f"{row['seconds_per_step']['mean'] * 1e3:,.1f} "
            f"± {row['seconds_per_step']['std'] * 1e3:,.1f}",
        ]
        for axis, models in summary["axes"].items()
        for model, found in models.items()
        for row in found["rows"]
    ]
    header = ["changed", "model", "to", "rows/s", "ms a step"]
    alt = "Rows a second against features, fields, heads, orders and records of a batch"
    return [
        Section(
            "Speed: what a step grows with",
            [
                about,
                picture(scaling_figure(summary["axes"], title), "scaling", alt),
                Table(header, rows, fold="The figure's numbers"),
            ],
        )
    ]


def devices(workers, sharded):
    """Returns the section on several devices, or none.

    Args:
        workers: Summary of `experiments.robustness.two_workers`, or `None`.
        sharded: Summary of `experiments.speed.sharded_tables`, or `None`.
    """
    blocks = [*_workers(workers), *_sharded(sharded)]
    return [Section("More than one device", ["Not in the paper.", *blocks])] if blocks else []


def _workers(summary):
    if summary is None:
        return []
    one, two = summary["runs"]["one"], summary["runs"]["two"]
    rows = [
        [str(epoch + 1), *(f"{value:.8f}" for value in values)]
        for epoch, values in enumerate(
            zip(one["losses"], two["losses"], one["validation"], two["validation"], strict=True)
        )
    ]
    killed = summary["killed"]
    equal = "the very weights" if killed["equal"] else "**other weights than**"
    seconds = {
        name: sum(run["epoch_seconds"]) / len(run["epoch_seconds"])
        for name, run in summary["runs"].items()
    }
    about = (
        f"**Two worker processes on loopback** (`--strategy=multi_worker`), `released`, "
        f"`{summary['data']['set']}`, {summary['data']['rows']:,} training rows, batches of "
        f"{summary['batch_size']:,}: one process that reads both shards of the data, and two that "
        "read one each, in float64, where sums hardly depend on their order. Their losses differ "
        f"by at most {summary['largest_relative_loss_difference']:.1e} of their value. An epoch "
        f"takes {seconds['one']:.1f} s and "
        f"{seconds['two']:.1f} s; both share the same cores. "
        f"With a worker killed in epoch {killed['epoch']} the other ended after "
        f"{killed['seconds_until_the_other_ended']:.0f} s, and both, resumed, ended with {equal} "
        f"of the unbroken run. Written on {summary['date']} by `python -m "
        f"experiments.robustness.two_workers`; {summary['versions']['machine']}."
    )
    header = ["epoch", "loss, one", "loss, two", "validation AUC, one", "validation AUC, two"]
    return [about, Table(header, rows)]


def _sharded(summary):
    if summary is None:
        return []
    rows = [
        [
            f"{row['devices']}",
            f"{row['table_bytes'][0] / 2**20:,.1f}",
            f"{row['optimizer_bytes'][0] / 2**20:,.1f}",
            f"{row['seconds_per_step']['mean'] * 1e3:,.0f} "
            f"± {row['seconds_per_step']['std'] * 1e3:,.0f}",
            f"{row['loss']:.7f}",
        ]
        for row in summary["rows"]
    ]
    about = (
        "**Tables larger than a device's memory** (`interhat_tf.training.table_sharding`, on "
        "Keras' JAX backend): "
        f"`released` with {summary['features']:,} features, the same CPU counted as one device and "
        "as two, so that the seconds say what splitting costs. The losses of all rounds differ by "
        f"at most {summary['largest_difference_of_loss']:.1e}. Written on {summary['date']} by "
        f"`python -m experiments.speed.sharded_tables`; JAX {summary['versions']['jax']}, "
        f"{summary['versions']['machine']}."
    )
    header = ["devices", "table, MiB each", "optimizer, MiB each", "ms a step", "loss"]
    return [about, Table(header, rows)]
