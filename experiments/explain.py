"""One HTML page on which the predictions of a trained model can be looked into.

    python -m experiments.explain --dataset=frappe/nfm --run=runs/frappe-released-0 \
        --where=cost=free,weekday=sunday --records=200 --output=explanations.html

Explains the first records of a split that satisfy the condition with the model
of a run of `experiments.train`. The page needs no other file and no network:
heat maps with the numbers under the pointer, contributions as a waterfall, the
effects of each field's own value against those of `--compared_with` training
records, the explanation in words, search and sort. `--json` writes the same as
JSON.
"""

import pathlib

import keras
from absl import flags

from experiments.common.conditions import first_records
from experiments.common.data_flags import DATA_DIR, DATASET, RAW_DIR
from experiments.common.running import run_program
from interhat_tf.explanation.explanation import explain_records
from interhat_tf.input_pipeline.catalog import prepared_dataset
from interhat_tf.preprocessing.encoding import SPLITS

RUN = flags.DEFINE_string("run", None, "folder of the run, with its model.keras")
SPLIT = flags.DEFINE_enum("split", "test", SPLITS, "split whose records are explained")
WHERE = flags.DEFINE_string("where", None, "only records with FIELD=VALUE,FIELD=VALUE,…")
RECORDS = flags.DEFINE_integer("records", 100, "number of records at the most", lower_bound=1)
COMPARED_WITH = flags.DEFINE_integer(
    "compared_with", 32, "training records that effects are against; none without", lower_bound=0
)
OUTPUT = flags.DEFINE_string("output", "explanations.html", "the page to write")
JSON = flags.DEFINE_string("json", None, "a JSON file to write as well")


def main(_):
    if not RUN.value:
        raise ValueError("--run is missing: the folder of a run of experiments.train")
    data = prepared_dataset(DATASET.value, DATA_DIR.value, RAW_DIR.value)
    path = pathlib.Path(RUN.value) / "model.keras"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: train a model first, by experiments.train")
    model = keras.saving.load_model(path)
    if not hasattr(model, "explain"):
        raise ValueError(f"{path} is a {type(model).__name__}, which does not explain itself")
    if model.schema != data.schema:
        raise ValueError(f"{path} was not trained on {data.name}: its fields are others")
    inputs = first_records(data, SPLIT.value, RECORDS.value, WHERE.value)
    background = None
    if COMPARED_WITH.value:
        background = first_records(data, "train", COMPARED_WITH.value)
    explanation = explain_records(model, inputs, values=data.decode(inputs), background=background)
    about = f"{path}, {len(explanation):,} records of {data.name}, {SPLIT.value}"
    about += f" with {WHERE.value}" if WHERE.value else ""
    explanation.to_html(OUTPUT.value, about=about)
    if JSON.value:
        explanation.to_json(JSON.value)
    print(f"{OUTPUT.value}: {len(explanation):,} records")


if __name__ == "__main__":
    run_program(main, required=["dataset"])
