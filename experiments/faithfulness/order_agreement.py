"""How far the order weights α_f agree with the orders of what a record's values do.

    python -m experiments.faithfulness.order_agreement --dataset=frappe/nfm --raw_dir=FOLDER

Explains test records by the models of each of `--explained_presets` and `--seeds`: as they
are trained, *plain*, and after three more epochs that align their order weights with the
order shares, *continued*. Correlates, over records and orders, α_f with the shares of the
model's k orders. Beside it stand a bound from above, the shares against other donors, and the
same weights for all records, the mean shares against those donors. Writes
`faithfulness/order_agreement/NAME/PRESET.json`, for `make page`. Runs that are done are
not run again.
"""

from typing import Any

import keras
import numpy as np
from absl import flags

from experiments.common.results import write_result
from experiments.common.running import run_program
from experiments.common.seed_flags import SEEDS
from experiments.common.statistics import mean_and_std
from experiments.common.studies import open_data, result_name, runs_of, study_record
from experiments.faithfulness.methods import CONTINUED, NOT_ALIGNED, PLAIN
from experiments.faithfulness.models import PRESETS, changed_once, explained_runs, halves_of
from interhat_tf.explanation.batches import explain_inputs
from interhat_tf.explanation.orders import order_shares
from interhat_tf.explanation.selection import first_records
from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.schema import Batch
from interhat_tf.training import align_attention
from interhat_tf.training.evaluation import evaluate

OF_ORDERS = flags.DEFINE_integer("of_orders", 500, "test records whose orders are compared")
# How order weights are aligned after the training: a real log is soon learnt by heart.
ORDER_ALIGNMENTS = {
    preset: {"order_weight": 0.2, "epochs": 3, "batch_size": 256, "learning_rate": rate}
    for preset, rate in {"released": 3e-4, "tuned": 1e-4}.items()
}
# Training records from which the values of either draw of donors are.
DONORS = 4096


def main(_):
    data = open_data()
    records = first_records(data, "test", OF_ORDERS.value)
    halves = halves_of(first_records(data, "train", 2 * DONORS))  # of DONORS records each
    for preset in PRESETS.value:
        found: dict[str, dict[int, dict[str, Any]]] = {PLAIN: {}, CONTINUED: {}}
        runs = runs_of("interhat", preset=preset, **NOT_ALIGNED)
        for run, model, report in explained_runs(runs):
            seed = run["seed"]
            plain = {metric: report["test"][metric] for metric in ("auc", "logloss")}
            found[PLAIN][seed] = {**plain, **order_agreement(model, records, *halves)}
            model = continued(model, data, run["output_dir"], preset)
            changed = evaluate(model, data, "test")
            found[CONTINUED][seed] = {**changed, **order_agreement(model, records, *halves)}
        forms = {  # runs finish in any order
            form: [{"seed": seed, **of_form[seed]} for seed in SEEDS.value]
            for form, of_form in found.items()
        }
        summary = {
            **study_record(data),
            "preset": preset,
            "seeds": SEEDS.value,
            "records": OF_ORDERS.value,
            "order_alignment": ORDER_ALIGNMENTS[preset],
            "forms": forms,
        }
        write_result(f"faithfulness/order_agreement/{result_name()}/{preset}.json", summary)
        for form, rows in forms.items():
            figure = mean_and_std([row["alpha_f"] for row in rows])
            print(f"{preset}, {form}: {figure['mean']:.3f} ± {figure['std']:.3f}", flush=True)


def continued(model: keras.Model, data: PreparedDataset, folder: str, preset: str) -> keras.Model:
    """Returns a run's model with aligned order weights; the run's folder keeps it."""
    how = {"weight": 0.0, **ORDER_ALIGNMENTS[preset]}
    return changed_once(model, folder, "ordered", how, data, align_attention)


def order_agreement(
    model: keras.Model, inputs: Batch, donors: Batch, other_donors: Batch
) -> dict[str, Any]:
    """Returns how far α_f, and what it is held against, correlate with the order shares.

    Args:
        model: An `InterHAt` of at least two orders.
        inputs: The records.
        donors: Inputs of the records that donors' values are drawn from.
        other_donors: Those for the `ceiling` and for `constant`.
    """
    weights = explain_inputs(model, inputs)["order_weights"]  # (B, k)
    shares, others = (
        order_shares(model, inputs, of, order=model.order, seed=seed)
        for seed, of in enumerate((donors, other_donors))
    )  # (B, k) each
    held = {"alpha_f": weights, "constant": others.mean(axis=0), "ceiling": others}
    return {
        **{name: correlation(values, shares) for name, values in held.items()},
        "mean_alpha_f": weights.mean(axis=0).astype("float64").round(4).tolist(),
        "mean_shares": shares.mean(axis=0).round(4).tolist(),
    }


def correlation(values: np.ndarray, shares: np.ndarray) -> float:
    """Returns Pearson's correlation over records and orders, 0 if either are all alike.

    Args:
        values: Weights of the orders, (B, k), or (k,), the same for all records.
        shares: The order shares, (B, k).

    Example:

    >>> round(correlation(np.array([0.2, 0.8]), np.array([[0.1, 0.9], [0.3, 0.7]])), 2)
    0.95
    """
    both = np.broadcast_to(values, shares.shape).ravel(), shares.ravel()
    return float(np.corrcoef(*both)[0, 1]) if min(map(np.std, both)) > 0 else 0.0


if __name__ == "__main__":
    run_program(main, required=["dataset"])
