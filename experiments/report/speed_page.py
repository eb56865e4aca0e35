"""What the page says of the grids `microbatch`, `models`, `gpu` and `table_size`."""

from experiments.common.markdown import spread
from experiments.common.published import TITLES
from experiments.common.statistics import mean_and_std
from experiments.report.cells import Summary, table
from experiments.report.grid_cells import is_averaged, milliseconds, rate, rows_of, title

# Of these the page says how many times as fast as PyTorch's models they train.
COMPARED = ("interhat", "interhat_paper", "interhat_tuned", "deepfm")
PRECISIONS = {"float32": "float32", "mixed_bfloat16": "bfloat16, logits and weights float32"}
OPTIMIZERS = {"adam": "Adam, exact", "lazy_adam": "LazyAdam", "keras_adam": "Keras' Adam"}


def microbatches(summary: Summary) -> Summary:
    """Returns the table of training steps in microbatches."""

    def rows_per_second(row):
        mean = row["batch"] / row["seconds"]
        return spread({"mean": mean, "std": mean * row["deviation"] / row["seconds"]}, 0)

    def times(name):
        return lambda row: (
            spread(row["against"][name]["rate"], 2) if name in row["against"] else "–"
        )

    columns = {
        "form": lambda row: f"{row['size'].capitalize()}: {title(row)}",
        "how": how_computed,
        "rows/s": rows_per_second,
        "times the whole's": times("whole"),
        "times plain Keras'": times("keras"),
    }
    rows = rows_of(summary)
    return {"batch": rows[0]["batch"], "rates": table(columns, rows)}


def how_computed(row: Summary) -> str:
    """Returns what computes a step."""
    if row["code"] == "keras":
        return "plain Keras, XLA" if row["jit_compile"] else "plain Keras"
    if row["code"] == "tensorflow":
        return "whole, without CPU kernels"
    return f"microbatches of {row['microbatch']}" if "microbatch" in row else "whole batches"


def all_models(grid: str, summary: Summary) -> Summary:
    """Returns what the page says of each group of a grid of all models."""
    return {"tables": [of_group(grid, group) for group in summary["groups"]]}


def of_group(grid: str, group: Summary) -> Summary:
    """Returns a group with its settings in words and its table: the fastest model first."""
    of, limits = group["of"], group["ceilings"]
    timed = {(row["code"], row["model"], row["work"]): row for row in group["rows"]}

    def counted(cell):
        return lambda row: cell(row) if "flops" in row else "–"

    def share(name):
        return counted(lambda row: f"{row[name] / row['seconds'] / limits[name]:.0%}")

    def rate_of(work):
        def cell(row):
            found = timed.get((row["code"], row["model"], work))
            return rate(found) if found else "–"

        return cell

    columns = {
        "model": title,
        "training rows/s": rate,
        "10⁶ operations a row": counted(lambda row: f"{row['flops'] / row['batch'] / 1e6:.2f}"),
        "kB a row": counted(lambda row: f"{row['bytes'] / row['batch'] / 1e3:,.0f}"),
        "about pairs of fields": counted(lambda row: f"{row['map_bytes'] / row['bytes']:.0%}"),
        "of the product rate": share("flops"),
        "of the bandwidth": share("bytes"),
        "predicted rows/s": rate_of("prediction"),
        "explained rows/s": rate_of("explanation"),
    }
    steps = [row for row in group["rows"] if row["work"] == "step"]
    size, compiled = of["size"].capitalize(), ", compiled by XLA" if of["jit_compile"] else ""
    updates = ", ".join(
        f"{OPTIMIZERS[row['optimizer']]} {row['seconds'] * 1e3:,.1f} ms"
        for row in group["rows"]
        if row["work"] == "update"
    )
    steps.sort(key=lambda row: row["seconds"])
    fold = f"{size}'s sizes, {of['precision']}{compiled}: all models"
    return {
        **group,
        "groups": [group],
        "title": f"{size}'s sizes",
        "precision": PRECISIONS[of["precision"]],
        "compiled": compiled,
        "gigaflops": limits["flops"] / 1e9,
        "gigabytes": limits["bytes"] / 1e9,
        "updates": updates,
        "fed": title(group["input"]),
        "peers": peers(steps),
        "flags": " ".join([f"--grid={grid}", *flags_of(grid, of), *flags_of_peers(steps)]),
        "rates": table(columns, steps, fold=fold),
    }


def peers(steps: list[Summary]) -> list[Summary]:
    """Returns of each of PyTorch's models how many times its rows/s ours are, round by round."""
    ours = [row for row in steps if row["model"] in COMPARED and row["code"] == "interhat_tf"]
    return [
        {
            "title": title(peer),
            "versions": ", ".join(f"{name} {text}" for name, text in peer["versions"].items()),
            "times": "; ".join(
                f"{title(row)}: {spread(times_as_fast(row, peer), 1)}" for row in ours
            ),
        }
        for peer in steps
        if peer["code"] == "pytorch"
    ]


def times_as_fast(row: Summary, other: Summary) -> Summary:
    """Returns how many times another's rows a second those of a case are, round by round."""
    rounds = zip(row["of_rounds"], other["of_rounds"], strict=True)
    return mean_and_std([theirs / ours for ours, theirs in rounds])


def flags_of_peers(steps: list[Summary]) -> list[str]:
    """Returns the flags that PyTorch's models are timed with."""
    timed = any(row["code"] == "pytorch" for row in steps)
    return ["--pytorch_python=PYTHON", "--fuxictr_zoo=FOLDER"] if timed else []


def flags_of(grid: str, of: Summary) -> list[str]:
    """Returns the flags that a group of a grid of all models is timed with."""
    flags = [f"--sizes={of['size']}"]
    if grid == "models":  # `gpu` has these among its cases
        flags += ["--xla"] if of["jit_compile"] else []
        flags += [f"--precision={of['precision']}"] if of["precision"] != "float32" else []
    return flags


def table_size(summary: Summary) -> Summary:
    """Returns the table of a step's seconds against the size of the tables."""
    rows = rows_of(summary)
    columns = {
        "model": lambda row: TITLES[row["model"]],
        "optimizer": lambda row: OPTIMIZERS[row["optimizer"]],
        "weights averaged": is_averaged,
        "features": "{features:,}",
        "ms a step": milliseconds,
        "rows/s": rate,
        "times the smallest's": lambda row: spread(row["against"]["smallest"]["time"], 2),
    }
    return {"batch": rows[0]["batch"], "times": table(columns, rows)}
