"""The flag that chooses among the models of an experiment."""

from collections.abc import Iterable

from absl import flags

MODELS = flags.DEFINE_multi_string("models", None, "models; default: all of the experiment")


def chosen_models(all_models: Iterable[str]) -> list[str]:
    """Returns the models that the flag chooses among those of an experiment.

    Raises:
        ValueError: If one is not among them.
    """
    if unknown := set(MODELS.value or ()) - set(all_models):
        raise ValueError(f"--models: {', '.join(sorted(unknown))}: not of {', '.join(all_models)}")
    return MODELS.value or list(all_models)
