import dataclasses

import numpy as np

from interhat_tf.explanation.sentences import attention_note, effects_note
from tests.explanation.made import explanation_of
from tests.models.held_effects import FIDELITY, FIDELITY_OF_PAIRS

ALIVE = {"auc_lost": 0.00142, "logloss_lost": 0.0031, "idle": False}
IDLE = {"auc_lost": 0.00001, "logloss_lost": -0.00002, "idle": True}


def test_the_sentence_says_how_the_set_moves_the_probability():
    field_weights = [[0.6, 0.1, 0.1, 0.1, 0.1], [0.05, 0.45, 0.45, 0.02, 0.03]]
    contributions = [[0.0, 0.5, 0.0, 0.0, 0.0], [0.1, 0.5, 1.0, 0.0, -0.4]]
    explanation = explanation_of(
        [0.29, 0.71], field_weights, contributions, values=["1", "b", "not c", "x", "y"]
    )
    # Without b and c the logit is -0.3; with them it is 1.7.
    assert explanation.sentences() == [
        "second order dominates (0.71): b × not c; raises the click probability from 0.43 to 0.85"
    ]
    lowered = explanation_of([0.2, 0.8], field_weights, -np.array(contributions))
    assert lowered.sentences()[0].endswith(
        "b = 1 × c = 1; lowers the click probability from 0.57 to 0.15"
    )


def test_a_model_whose_attention_is_idle_says_so():
    explanation = explanation_of([1.0], [[0.2] * 5], [[0.0] * 5])
    (sentence,) = explanation.sentences()
    (alive,) = dataclasses.replace(explanation, attention=ALIVE).sentences()
    (idle,) = dataclasses.replace(explanation, attention=IDLE).sentences()
    assert alive == sentence and idle == f"{sentence}; attention is idle"


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


def test_the_sentence_if_no_field_stands_out():
    explanation = explanation_of([1.0], [[0.2] * 5], [[0.0] * 5])
    assert explanation.sentences() == [
        "first order dominates (1.00), but no field stands out; click probability 0.50"
    ]


def test_orders_beyond_the_eighth_have_a_number():
    order_weights = np.eye(10)[9]
    (sentence,) = explanation_of(
        order_weights, np.full((10, 5), 0.2), np.zeros((10, 5))
    ).sentences()
    assert sentence.startswith("10th order dominates (1.00)")
