"""Prepares a data set, on this machine or on a cluster.

    python -m experiments.prepare --dataset=criteo/all_fields --raw_dir=FOLDER

Prints the set's statistics. `experiments.train` does the same when it needs a
set; this is for preparing alone and, with `--beam_pipeline_options`, by Apache
Beam (data/README.md): `--beam_pipeline_options=runner=DirectRunner`.
"""

import json

from absl import flags

from experiments.common.data_flags import DATA_DIR, DATASET, RAW_DIR
from experiments.common.running import run_program
from interhat_tf.input_pipeline.catalog import prepared_dataset

BEAM = flags.DEFINE_list(
    "beam_pipeline_options", None, "prepare by Beam with these options, as NAME=VALUE,NAME=VALUE"
)


def main(_):
    config = {}
    if BEAM.value:
        from apache_beam.options.pipeline_options import PipelineOptions

        config["beam_options"] = PipelineOptions([f"--{option}" for option in BEAM.value])
    data = prepared_dataset(DATASET.value, DATA_DIR.value, RAW_DIR.value, **config)
    print(json.dumps(data.statistics, indent=2))


if __name__ == "__main__":
    run_program(main, required=["dataset"])
