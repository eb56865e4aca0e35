"""The flags that programs share: which data, where runs go, which models."""

from collections.abc import Iterable

from absl import flags

from interhat_tf.commands.data_flags import define_data_flags

DATASET, DATA_DIR, RAW_DIR = define_data_flags(flags.FLAGS)
RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "folder of the runs")
EPOCHS = flags.DEFINE_integer("epochs", None, "epochs after which a run stops in any case")
MODELS = flags.DEFINE_multi_string("models", None, "models; default: all of the experiment")


def chosen_models(all_models: Iterable[str]) -> list[str]:
    """Returns the models that `--models` chooses among those of an experiment.

    Raises:
        ValueError: If one is not among them.
    """
    if unknown := set(MODELS.value or ()) - set(all_models):
        raise ValueError(f"--models: {', '.join(sorted(unknown))}: not of {', '.join(all_models)}")
    return MODELS.value or list(all_models)
