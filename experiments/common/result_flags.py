"""The flags of the programs whose results stand together on one page."""

from absl import flags

RESULTS_DIR = flags.DEFINE_string("results_dir", "experiments/results", "folder of the results")
MODELS = flags.DEFINE_multi_string("models", None, "models; default: all of the experiment")


def chosen_models(all_models):
    """Returns the models that the flags choose among those of an experiment.

    Raises:
        ValueError: If one is not among them.
    """
    if unknown := set(MODELS.value or ()) - set(all_models):
        raise ValueError(f"--models: {', '.join(sorted(unknown))}: not of {', '.join(all_models)}")
    return MODELS.value or list(all_models)
