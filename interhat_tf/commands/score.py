"""Scores a log: its rows with the probability of a click, the reasons, what is unknown.

    interhat score --run=runs/my_clicks --dataset=my_clicks --log=ads.csv --output=scored.parquet

Reads the log as `interhat prepare` read the one that the set was made of; its label
may be missing. Writes all of its columns and behind them `probability`, calibrated
if the model is (`interhat calibrate`), `unknown_share`, the share of the row's
categorical values that no training row has, and `reason_1`, `effect_1`, …: the
fields that move the logit most, and by how much. A call that was killed goes on
where it was when it is given again.
"""

from absl import flags

from interhat_tf.commands.data_flags import define_run_flags, open_run
from interhat_tf.scoring.log_scoring import score

REQUIRED = ("dataset", "run", "log", "output")


def define_flags() -> flags.FlagValues:
    """Returns the command's flags."""
    values = flags.FlagValues()
    define_run_flags(values)
    flags.DEFINE_multi_string("log", None, "file or folder of the log to score", values)
    flags.DEFINE_string("output", None, "file to write, .parquet or .csv", values)
    flags.DEFINE_integer("reasons", 3, "reasons of each row", 0, flag_values=values)
    flags.DEFINE_integer(
        "compared_with",
        None,
        "training records that effects are against; 0: a model's own",
        0,
        flag_values=values,
    )
    flags.DEFINE_string("delimiter", None, "character between two values of a text log", values)
    flags.DEFINE_string("encoding", None, "encoding of a text log; default: UTF-8", values)
    return values


def main(values: flags.FlagValues) -> None:
    """Scores the log and says what came of it."""
    data, model, _ = open_run(values)
    found = score(
        model,
        data,
        values.log,
        values.output,
        reasons=values.reasons,
        background=values.compared_with,
        delimiter=values.delimiter,
        encoding=values.encoding,
    )
    calibration = found["calibration"] or "not calibrated: interhat calibrate does it"
    print(
        f"{values.output}: {found['rows']:,} rows, mean probability {found['probability']:.4f}, "
        f"{calibration}"
    )
    if found["unknown"]:
        worst = sorted(found["unknown"].items(), key=lambda item: -item[1])[:5]
        print("unknown values:", ", ".join(f"{name} {share:.1%}" for name, share in worst))
    if found["effects"]:
        print(found["effects"])
