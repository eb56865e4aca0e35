import dataclasses

import numpy as np

from interhat_tf.explanation.sentences import attention_note, effects_note
from tests.explanation.made import explanation_of
from tests.models.held_effects import FIDELITY, FIDELITY_OF_PAIRS

ALIVE = {"auc_lost": 0.00142, "logloss_lost": 0.0031, "idle": False}
IDLE = {"auc_lost": 0.00001, "logloss_lost": -0.00002, "idle": True}


def test_by_pair_effects_both_members_of_the_pair_that_does_most_are_named():
    explanation = dataclasses.replace(
        explanation_of([1.0], [[0.2] * 5], [[0.0] * 5], logit=0.9, values=list("vwxyz")),
        effects=np.array([[0.2, 0.8, 0.0, 2.0, 1.9]]),
        pairs=np.array([[[1, 3], [3, 4], [0, 1]]]),
        # Replaced together, b and d move the logit by 2.0 + 0.8 - 0.6, d and e by less.
        pair_effects=np.array([[0.6, 2.0, 0.0]]),
    )
    assert explanation.sentences() == [
        "d = y (+2.0) and b = w (+0.8), together +0.6, raise the click probability "
        "from 0.21 to 0.71"
    ]
    lowered = dataclasses.replace(
        explanation,
        logits=-explanation.logits,
        effects=-explanation.effects,
        pair_effects=-explanation.pair_effects,
    )
    assert lowered.sentences()[0].endswith(
        "(-0.8), together -0.6, lower the click probability from 0.79 to 0.29"
    )


def test_what_a_pair_adds_is_said_where_it_shows_and_a_field_that_does_nothing_is_left_out():
    def sentence(effect, together):
        explanation = dataclasses.replace(
            explanation_of([1.0], [[0.2] * 5], [[0.0] * 5], logit=0.9),
            effects=np.array([[0.2, effect, 0.0, 2.0, 0.0]]),
            pairs=np.array([[[1, 3]]]),
            pair_effects=np.array([[together]]),
        )
        return explanation.sentences()[0].partition(" the click probability")[0]

    assert sentence(-0.04, -0.04) == "d = 1 (+2.0) raises"
    assert sentence(-0.06, -0.04) == "d = 1 (+2.0) and b = 1 (-0.1) raise"
    assert sentence(-0.04, -0.06) == "d = 1 (+2.0) and b = 1 (+0.0), together -0.1, raise"


def test_by_effects_alone_the_field_of_the_largest():
    explanation = explanation_of([1.0], [[0.2] * 5], [[3.0, 0, 0, 0, 0]], logit=0.9)
    explanation = dataclasses.replace(explanation, effects=np.array([[0.2, 0.8, 0, -2.0, 1.9]]))
    assert explanation.sentences() == [
        "d = 1 (-2.0) lowers the click probability from 0.95 to 0.71"
    ]


def test_without_effects_the_field_of_the_largest_contribution_over_all_orders():
    contributions = [[0.0, 0.5, 0.0, 0.0, 0.8], [0.1, 0.5, 0.0, 0.0, -0.4]]
    explanation = explanation_of([0.9, 0.1], [[0.2] * 5] * 2, contributions, values=["not b"] * 5)
    assert explanation.sentences() == [
        "by contributions, not b (+1.0) raises the click probability from 0.62 to 0.82"
    ]


def test_the_note_says_what_attention_is_worth():
    assert attention_note(None) == ""
    assert attention_note(ALIVE) == (
        "Fixing each field's attention weight to its mean over records costs this model "
        "0.0014 of AUC and 0.0031 of logloss on validation."
    )
    assert attention_note(IDLE).startswith("Attention is idle. Fixing")
    assert "0.0000 of AUC" in attention_note(IDLE)


def test_the_note_says_how_exact_estimated_effects_are():
    assert effects_note(None) == ""
    assert effects_note(FIDELITY) == (
        "Effects are estimated by the model itself: R2 0.90 and rank correlation 0.80 against "
        "exact effects of 9 validation records."
    )
    assert effects_note(FIDELITY_OF_PAIRS).endswith(
        "validation records; of pairs, R2 0.75 and rank correlation 0.50."
    )
    assert "exact Shapley values of" in effects_note({**FIDELITY, "kind": "shapley"})


def test_no_field_stands_out():
    explanation = explanation_of([1.0], [[0.2] * 5], [[0.04] + [0.0] * 4])
    assert explanation.sentences() == ["no field stands out; click probability 0.51"]
