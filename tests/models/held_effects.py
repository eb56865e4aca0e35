"""Effect heads for the tests, of random weights in place of fitted ones."""

from tests.numpy_reference import randomise

FIDELITY = {"kind": "occlusion", "records": 9, "background": 5, "r2": 0.9, "rank_correlation": 0.8}
FIDELITY_OF_PAIRS = {**FIDELITY, "pair_r2": 0.75, "pair_rank_correlation": 0.5, "pairs": 6}


def with_effects(model, num_pairs=0):
    """Gives a model a head, and returns the model."""
    head = randomise(model.make_effect_head({"num_pairs": num_pairs, "units": 5}))
    model.hold_effects(head, FIDELITY_OF_PAIRS if num_pairs else FIDELITY)
    return model
