"""Deletion and insertion curves, and how far explanations of different seeds agree.

    python -m experiments.faithfulness.curves --dataset=frappe/nfm --raw_dir=FOLDER

Explains test records by every method of `methods.py` with the models of Table
3's `released` runs, seeds 1 to 5. *Deletion* removes the fields one by one, the
one that supports the prediction most first, and *insertion* adds them in the
same order to a record without any: a field that is removed takes the values of
background records, over which the probability is averaged. The sooner the
probability falls, or rises, the truer is the explanation. Writes
`faithfulness/NAME/summary.json`, for `make page`.
"""

import itertools
from collections.abc import Sequence

import keras
import numpy as np
from absl import flags

from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_and_std, paired_difference, rank_correlations
from experiments.common.studies import open_data, runs_of, study_record, summary_of
from experiments.faithfulness.methods import METHODS, attributions, magnitudes
from experiments.faithfulness.models import background_of, explained_runs
from experiments.paper.sensitivity import PRESET
from interhat_tf.calibration import probability
from interhat_tf.commands.conditions import first_records
from interhat_tf.explanation.batches import predict
from interhat_tf.schema import CATEGORICAL, NUMERICAL

RECORDS = flags.DEFINE_integer("explained", 300, "test records that are explained")

Inputs = dict[str, np.ndarray]
Curves = dict[str, dict[str, np.ndarray]]


def main(_):
    data = open_data()
    records, background = first_records(data, "test", RECORDS.value), background_of(data)
    curves, values, aucs = {}, {}, {}
    for seed, model, report in explained_runs(runs_of("interhat", preset=PRESET)):
        values[seed] = attributions(model, records, background, seed)
        curves[seed] = curves_of(model, records, background, values[seed])
        aucs[seed] = report["test"]["auc"]
    # Runs finish in any order.
    of_seeds = [curves[seed] for seed in SEEDS.value]
    methods = {
        name: {
            **{kind: of_method(of_seeds, name, kind) for kind in ("deletion", "insertion")},
            "agreement": agreement([magnitudes(name, values[s][name]) for s in SEEDS.value]),
        }
        for name in METHODS
    }
    summary = {
        **study_record(data),
        "test": mean_and_std([aucs[seed] for seed in SEEDS.value]),
        "seeds": SEEDS.value,
        "records": len(next(iter(records.values()))),
        "background": len(next(iter(background.values()))),
        "methods": methods,
    }
    write_result(summary_of("faithfulness"), summary)
    for name, row in methods.items():
        areas = f"{row['deletion']['area']['mean']:.3f} {row['insertion']['area']['mean']:.3f}"
        print(f"{name:22} {areas} {row['agreement']['correlation']:.2f}")


def of_method(of_seeds: Sequence[Curves], name: str, kind: str) -> dict:
    """Returns a method's mean curve, the area under it, and that area minus the random one's."""
    areas, random = (
        [float(curves[method][kind].mean()) for curves in of_seeds] for method in (name, "random")
    )
    return {
        "curve": np.mean([curves[name][kind] for curves in of_seeds], axis=0).tolist(),
        "area": mean_and_std(areas),
        "against_random": paired_difference(areas, random),
    }


def curves_of(model: keras.Model, inputs: Inputs, background: Inputs, attributed: Inputs) -> Curves:
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
    for name, values in attributed.items():
        support = side[:, np.newaxis] * values if METHODS[name].signed else values
        order = np.argsort(-support, axis=1, kind="stable")  # (B, m)
        ranks = np.argsort(order, axis=1)  # (B, m): 0 for the field that supports most
        found[name] = {}
        for kind, is_removed in (("deletion", np.less), ("insertion", np.greater_equal)):
            left = [
                side * (_without(model, inputs, background, is_removed(ranks, step)) - start)
                for step in range(values.shape[1] + 1)
            ]  # m + 1 arrays of (B,)
            found[name][kind] = np.array([share.mean() / total for share in left])
    return found


def _without(model, inputs, background, removed):
    """Returns each record's probability where some fields have the background's values, (B,)."""
    rows, draws = len(removed), len(next(iter(background.values())))
    columns = len(model.schema.categorical)
    changed = {}
    for kind, mask in ((CATEGORICAL, removed[:, :columns]), (NUMERICAL, removed[:, columns:])):
        if kind in inputs:
            values = np.where(
                mask[:, np.newaxis], background[kind][np.newaxis], inputs[kind][:, np.newaxis]
            )  # (B, draws, fields)
            changed[kind] = values.reshape(rows * draws, -1)  # (B * draws, fields)
    return probability(predict(model, changed)).reshape(rows, draws).mean(axis=1)


def agreement(values: Sequence[np.ndarray]) -> dict[str, float]:
    """Returns how far the explanations of different models agree on the same records.

    That is the mean over records and pairs of models of Spearman's rank `correlation`, and of
    whether the same field is the `first`. Values are (B, m) for each model.

    Example:

    >>> one, other = np.array([[3.0, 2.0, 1.0]]), np.array([[9.0, 1.0, 4.0]])
    >>> agreement([one, other])
    {'correlation': 0.5, 'first': 1.0}
    """
    pairs = list(itertools.combinations(values, 2))
    correlations = [rank_correlations(one, other).mean() for one, other in pairs]
    firsts = [(one.argmax(axis=1) == other.argmax(axis=1)).mean() for one, other in pairs]
    return {"correlation": float(np.mean(correlations)), "first": float(np.mean(firsts))}


if __name__ == "__main__":
    run_program(main, required=["dataset"])
