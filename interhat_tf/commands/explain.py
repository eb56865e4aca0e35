"""Writes one HTML page on which the predictions of a trained model can be looked into.

    interhat explain --run=runs/my_clicks --dataset=my_clicks --output=explanations.html

Explains the first records of a split that satisfy a condition, such as
`--where=user=u17,app=maps`, with the model of a run of `interhat train`. The
page needs no other file and no network. It begins with an overview: AUC, base rate,
calibration, the fields and pairs that move the logit most. Then come the records, with
their label, probability and explanation in words, to be searched, filtered and sorted:
the effects of each field's own value against those of `--compared_with` training
records, what two of them do together, contributions and heat maps.
"""

from absl import flags

from interhat_tf.commands.conditions import condition
from interhat_tf.commands.data_flags import define_run_flags, open_run
from interhat_tf.errors import SettingError
from interhat_tf.explanation.explanation import explain_records
from interhat_tf.explanation.overview import model_overview
from interhat_tf.explanation.selection import first_labelled, first_records
from interhat_tf.explanation.sentences import notes
from interhat_tf.preprocessing.rows import SPLITS

REQUIRED = ("dataset", "run")
PAIRED_FIELDS = 4
"""The strongest fields of each record, whose pairs have effects."""


def define_flags() -> flags.FlagValues:
    """Returns the command's flags."""
    values = flags.FlagValues()
    define_run_flags(values)
    flags.DEFINE_enum("split", "test", SPLITS, "split whose records are explained", values)
    flags.DEFINE_string("where", None, "only records with FIELD=VALUE,FIELD=VALUE,…", values)
    flags.DEFINE_integer("records", 100, "number of records at most", 1, flag_values=values)
    flags.DEFINE_integer(
        "compared_with",
        32,
        "training records that effects are against; 0: a model's own",
        0,
        flag_values=values,
    )
    flags.DEFINE_string("output", "explanations.html", "the page to write", values)
    flags.DEFINE_string("json", None, "a JSON file to write as well", values)
    return values


def main(values: flags.FlagValues) -> None:
    """Writes the page."""
    data, model, path = open_run(values)
    if not hasattr(model, "explain"):
        raise SettingError(f"{path} is a {type(model).__name__}, which does not explain itself")
    wanted = condition(data, values.where) if values.where else None
    inputs, labels = first_labelled(data, values.split, values.records, wanted)
    background = None
    if values.compared_with:
        background = first_records(data, "train", values.compared_with)
    paired = background is not None and len(data.schema.record_fields) > 1
    explanation = explain_records(
        model,
        inputs,
        values=data.decode(inputs),
        background=background,
        interactions=PAIRED_FIELDS if paired else 0,
        labels=labels,
    )
    about = f"{path}, {len(explanation):,} records of {data.name}, {values.split}"
    about += f" with {values.where}" if values.where else ""
    overview = model_overview(model, data, values.split, values.compared_with)
    explanation.to_html(values.output, about=about, overview=overview)
    if values.json:
        explanation.to_json(values.json)
    print(f"{values.output}: {len(explanation):,} records")
    for note in notes(explanation):
        print(note)
