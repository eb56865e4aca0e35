"""How far InterHAt's own explanations agree with what its fields do, and add up.

    python -m experiments.faithfulness.agreement --dataset=frappe/nfm --raw_dir=FOLDER

Takes the models of a row of Table 3, `--row`, with each of `--seeds` and explains test
records. A field's effect is its occlusion: how the logit changes when the field
has the values of other records. For each record the fields are ranked by the
size of their effect, and the ranks compared with those by the combined attention
weights and by the size of the contributions. Beside them stand a bound from above, the
effects against other background records, and a ranking that knows no record, by the
mean size of the effects. Writes `faithfulness/agreement/NAME/ROW.json`, for `make
page`. Runs that are done are not run again.
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
from experiments.common.table_3_files import chosen_setting
from experiments.faithfulness.additivity import largest_error
from experiments.faithfulness.models import BACKGROUND, explained_runs
from interhat_tf.explanation import attributions
from interhat_tf.explanation.batches import explain_inputs
from interhat_tf.explanation.rank_correlation import rank_correlations
from interhat_tf.explanation.selection import first_records
from interhat_tf.schema import Batch

ROW = flags.DEFINE_string("row", "interhat", "row of Table 3 whose models are explained")
RANKED = flags.DEFINE_integer("ranked", 1000, "test records whose fields are ranked")
# Of which the sums of contributions are compared with the logits.
SUMMED = 10_000


def main(_):
    setting = chosen_setting(result_name(), ROW.value)
    if setting is None:
        raise ValueError(
            f"Table 3 has no row {ROW.value} for {result_name()}: train it with "
            f"python -m experiments.paper.table_3 --models={ROW.value}"
        )
    data = open_data()
    records = first_records(data, "test", SUMMED)
    background = first_records(data, "train", 2 * BACKGROUND.value)
    halves = [
        {kind: values[part::2] for kind, values in background.items()} for part in range(2)
    ]  # of the background, BACKGROUND records each
    found = {}
    for seed, model, report in explained_runs(runs_of(**{"model": ROW.value, **setting})):
        found[seed] = {
            **rank_agreement(model, {k: v[: RANKED.value] for k, v in records.items()}, *halves),
            "largest_error": largest_error(explain_inputs(model, records)),
            "auc_lost": report["attention"]["auc_lost"],
        }
    rows = [found[seed] for seed in SEEDS.value]  # runs finish in any order
    summary: dict[str, Any] = {
        **study_record(data),
        "row": ROW.value,
        "setting": setting,
        "seeds": SEEDS.value,
        "ranked": RANKED.value,
        "summed": len(next(iter(records.values()))),
        "background": BACKGROUND.value,
        **{name: mean_and_std([row[name] for row in rows]) for name in rows[0]},
        "runs": rows,
    }
    write_result(f"faithfulness/agreement/{result_name()}/{ROW.value}.json", summary)
    for name in rows[0]:
        print(f"{name:14} {summary[name]['mean']:.3g} ± {summary[name]['std']:.2g}")


def rank_agreement(
    model: keras.Model, inputs: Batch, background: Batch, other_background: Batch
) -> dict[str, float]:
    """Returns the mean rank correlations with the size of the fields' effects.

    Args:
        model: An `InterHAt`.
        inputs: The records.
        background: Inputs of the records against which the effects are.
        other_background: Those for the `ceiling` and the `constant` ranking.
    """
    effects, others = (
        np.abs(attributions.occlusion(model, inputs, records))
        for records in (background, other_background)
    )  # (B, m) each
    rankings = {
        "attention": attributions.attention(model, inputs),
        "contributions": np.abs(attributions.contributions(model, inputs)),
        "constant": np.broadcast_to(others.mean(axis=0), others.shape),  # (B, m)
        "ceiling": others,
    }
    return {
        name: float(rank_correlations(values, effects).mean()) for name, values in rankings.items()
    }


if __name__ == "__main__":
    run_program(main, required=["dataset"])
