"""Deletion and insertion curves, and how far explanations of different seeds agree.

    python -m experiments.faithfulness.curves --dataset=frappe/nfm --raw_dir=FOLDER

Explains test records by every method of `methods.py` with the models of Table
3's `released` runs, seeds 1 to 5. *Deletion* takes the fields away one by one,
the one that supports the prediction most first, and *insertion* adds them in the
same order to a record without any: a field that is away has the values of
background records, over which the probability is averaged. The sooner the
probability falls, or rises, the truer is the explanation. Writes
`experiments/results/faithfulness/NAME/summary.json`; `python -m
experiments.faithfulness.page` makes the page.
"""

import itertools

import numpy as np
from absl import flags
from scipy import stats

from experiments.common.run_flags import SEEDS
from experiments.common.running import run_program
from experiments.common.statistics import mean_and_std, paired_difference
from experiments.common.studies import heading, open_data, results_folder
from experiments.faithfulness.methods import METHODS, attributions, magnitudes
from experiments.faithfulness.models import background_of, explained_runs, released_runs
from interhat_tf.commands.conditions import first_records
from interhat_tf.explanation.attributions import predict
from interhat_tf.explanation.batches import probability
from interhat_tf.schema import CATEGORICAL, NUMERICAL
from interhat_tf.utils.files import write_json

RECORDS = flags.DEFINE_integer("explained", 300, "test records that are explained")


def main(_):
    data = open_data()
    records, background = first_records(data, "test", RECORDS.value), background_of(data)
    curves, numbers, reports = {}, {}, {}
    for seed, model, report in explained_runs(released_runs()):
        numbers[seed] = attributions(model, records, background, seed)
        curves[seed] = curves_of(model, records, background, numbers[seed])
        reports[seed] = report
    areas = {
        name: {
            kind: [float(curves[seed][name][kind].mean()) for seed in SEEDS.value]
            for kind in ("deletion", "insertion")
        }
        for name in METHODS
    }
    methods = {
        name: {
            **{
                kind: {
                    "curve": np.mean([curves[s][name][kind] for s in SEEDS.value], axis=0).tolist(),
                    "area": mean_and_std(of_seeds),
                    "against_random": paired_difference(of_seeds, areas["random"][kind]),
                }
                for kind, of_seeds in areas[name].items()
            },
            "agreement": agreement([magnitudes(name, numbers[s][name]) for s in SEEDS.value]),
        }
        for name in METHODS
    }
    summary = {
        **heading(data),
        "test": mean_and_std([reports[seed]["test"]["auc"] for seed in SEEDS.value]),
        "seeds": SEEDS.value,
        "records": len(next(iter(records.values()))),
        "background": len(next(iter(background.values()))),
        "methods": methods,
    }
    write_json(results_folder("faithfulness") / "summary.json", summary)
    for name, row in methods.items():
        areas = f"{row['deletion']['area']['mean']:.3f} {row['insertion']['area']['mean']:.3f}"
        print(f"{name:22} {areas} {row['agreement']['correlation']:.2f}")


def curves_of(model, inputs, background, numbers):
    """Returns the deletion and the insertion curve of every method, (m + 1,) each.

    A curve is the mean over the records of the share that is left of the
    prediction: 1 is the probability of the whole record, 0 that of the
    background, both averaged over the records towards their own side.
    """
    start = probability(predict(model, background)).mean()
    whole = probability(predict(model, inputs))  # (B,)
    side = np.where(whole >= start, 1.0, -1.0)  # (B,)
    total = (side * (whole - start)).mean()
    found = {}
    for name, values in numbers.items():
        support = side[:, np.newaxis] * values if METHODS[name].signed else values
        order = np.argsort(-support, axis=1, kind="stable")  # (B, m)
        ranks = np.argsort(order, axis=1)  # (B, m): 0 for the field that supports most
        found[name] = {
            kind: np.array(
                [
                    (side * (_without(model, inputs, background, away(ranks, t)) - start)).mean()
                    / total
                    for t in range(values.shape[1] + 1)
                ]
            )
            for kind, away in (("deletion", np.less), ("insertion", np.greater_equal))
        }
    return found


def _without(model, inputs, background, away):
    """Returns each record's probability where some fields have the background's values, (B,)."""
    rows, draws = len(away), len(next(iter(background.values())))
    columns = len(model.schema.categorical)
    changed = {}
    for kind, mask in ((CATEGORICAL, away[:, :columns]), (NUMERICAL, away[:, columns:])):
        if kind in inputs:
            values = np.where(
                mask[:, np.newaxis], background[kind][np.newaxis], inputs[kind][:, np.newaxis]
            )  # (B, draws, fields)
            changed[kind] = values.reshape(rows * draws, -1)  # (B * draws, fields)
    return probability(predict(model, changed)).reshape(rows, draws).mean(axis=1)


def agreement(values):
    """Returns how far the explanations of different models agree on the same records.

    Args:
        values: For each model, how much each field counts, (B, m).

    Returns:
        The mean over records and pairs of models of Spearman's rank
        `correlation`, and of whether the same field is the `first`.

    Example:

    >>> one, other = np.array([[3.0, 2.0, 1.0]]), np.array([[9.0, 1.0, 4.0]])
    >>> agreement([one, other])
    {'correlation': 0.5, 'first': 1.0}
    """
    ranks = [stats.rankdata(of_model, axis=1) for of_model in values]
    pairs = list(itertools.combinations(ranks, 2))
    correlations, firsts = [], []
    for one, other in pairs:
        a, b = (r - r.mean(axis=1, keepdims=True) for r in (one, other))
        scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
        correlations.append(((a * b).sum(axis=1) / np.where(scale > 0, scale, 1)).mean())
        firsts.append((one.argmax(axis=1) == other.argmax(axis=1)).mean())
    return {"correlation": float(np.mean(correlations)), "first": float(np.mean(firsts))}


if __name__ == "__main__":
    run_program(main, required=["dataset"])
