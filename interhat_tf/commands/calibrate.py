"""Makes the probabilities of a trained model come true as often as they say.

    interhat calibrate --run=runs/my_clicks --dataset=my_clicks

Fits a map from logits to probabilities to the validation split, by Platt scaling or
isotonic regression, whichever has the lower logloss on records that it was not
fitted to, and keeps it in the run's `model.keras`; logits stay as they are.
Prints logloss, expected calibration error and predicted over observed clicks of
each, and the field values whose clicks are predicted worst; draws
`reliability.png` in the run's folder, of the test split.
"""

from absl import flags

from interhat_tf.calibration import METHODS
from interhat_tf.commands.data_flags import define_run_flags, open_run
from interhat_tf.training.calibrating import NONE, calibrate
from interhat_tf.training.observed_rates import plot_reliability, reliability, reliability_by_value
from interhat_tf.training.run_folder import save_model

REQUIRED = ("dataset", "run")
VALUES = 10


def define_flags() -> flags.FlagValues:
    """Returns the command's flags."""
    values = flags.FlagValues()
    define_run_flags(values)
    flags.DEFINE_enum("method", None, [NONE, *METHODS], "default: the best on validation", values)
    return values


def main(values: flags.FlagValues) -> None:
    """Calibrates the model, saves it and prints what changed."""
    data, model, path = open_run(values)
    model.calibration = None
    before = reliability(model, data, "test")
    found = calibrate(model, data, values.method)
    save_model(model, path.parent)
    print(f"validation, {found['records']:,} records, each by a fit to others")
    for name in (NONE, *METHODS):
        figures = found[name]
        if figures is None:
            print(f"  {name:9} cannot be fitted to all of these parts")
            continue
        print(
            f"  {name:9} logloss {figures['logloss']:.5f}, expected calibration error "
            f"{figures['expected_calibration_error']:.5f}, predicted / observed "
            f"{figures['ratio']:.3f}{', chosen' if name == found['method'] else ''}"
        )
    after = {"before": before}
    if model.calibration is not None:
        after["after"] = reliability(model, data, "test")
    plot_reliability(after, path.with_name("reliability.png"), f"{data.name}, test")
    print("test, predicted over observed clicks")
    for name, one in after.items():
        print(
            f"  {name:9} {one.ratio:.3f}, expected calibration error "
            f"{one.expected_calibration_error:.5f}"
        )
    worst = reliability_by_value(model, data, "test").head(VALUES)
    if len(worst):
        print("values of at least 100 test records that are predicted worst")
        print(worst.to_string(index=False))
    print(f"{path}: {model.calibration or 'not calibrated'}")
