"""Exports the model of a run for serving: a file that takes the log's raw values.

    interhat export --run=runs/my_clicks --dataset=my_clicks --output=model.onnx

Writes an ONNX file if the output ends in `.onnx`, which needs `pip install
'interhat_tf[onnx]'`, and otherwise the folder of a SavedModel. Both hold the set's
vocabularies, the scales of its numbers and the model's calibration, and return the
probability of a click with its reasons.
"""

import pathlib

from absl import flags

from interhat_tf.commands.data_flags import define_run_flags, open_run
from interhat_tf.errors import SettingError
from interhat_tf.serving import export_onnx, export_saved_model

REQUIRED = ("dataset", "run", "output")


def define_flags() -> flags.FlagValues:
    """Returns the command's flags."""
    values = flags.FlagValues()
    define_run_flags(values)
    flags.DEFINE_string("output", None, "file to write, .onnx, or folder of a SavedModel", values)
    return values


def main(values: flags.FlagValues) -> None:
    """Exports the model and says what it takes."""
    data, model, _ = open_run(values)
    output = pathlib.Path(values.output)
    export = export_onnx if output.suffix == ".onnx" else export_saved_model
    try:
        export(model, output, data)
    except ImportError as error:
        raise SettingError(str(error)) from error
    calibration = model.calibration or "not calibrated"
    print(f"{output}: takes {', '.join(data.reading.columns)}; {calibration}")
