import html

import numpy as np

from interhat_tf.explanation.tables import frame, html_table
from tests.explanation.made import explanation_of, random_records
from tests.models.held_effects import FIDELITY


def test_the_frame_has_a_row_for_each_cell(rng):
    explanation = random_records(rng)
    table = frame(explanation)
    assert len(table) == 9 * 2 * 4
    one = table[(table.record == 7) & (table.order == 2) & (table.field == "c")].iloc[0]
    assert one.value == explanation.values[7, 2]
    assert one.field_weight == explanation.field_weights[7, 1, 2]
    assert one.contribution == explanation.contributions[7, 1, 2]
    assert one.order_weight == explanation.order_weights[7, 1]
    assert one.probability == explanation.probabilities[7]
    sums = table.groupby("record").contribution.sum() + explanation.bias
    np.testing.assert_allclose(sums, explanation.logits, atol=1e-4)
    assert "effect" not in table


def test_effects_are_a_column_of_the_frame(rng):
    explanation = random_records(rng, effects=rng.normal(size=(9, 4)))
    table = frame(explanation)
    of_field = table[(table.record == 7) & (table.field == "c")].effect
    assert of_field.tolist() == [explanation.effects[7, 2]] * 2


def test_a_notebook_shows_the_first_records_and_what_counts_most(rng):
    explanation = random_records(rng, records=12, m=8)
    shown = html_table(explanation)
    assert shown.count("<tr>") == 1 + 10 and "and 2 more records" in shown
    assert "more records" not in html_table(explanation[:10])
    assert "largest contributions on the logit" in shown
    shares = explanation.contributions.sum(axis=1)[3]
    largest = np.argsort(-np.abs(shares))[:5]
    expected = [f"{explanation.label(3, j)} ({shares[j]:+.2f})" for j in largest]
    assert f'<td style="text-align: left">{", ".join(expected)}</td>' in shown


def test_effects_come_before_contributions(rng):
    explanation = random_records(rng, effects=rng.normal(size=(9, 4)))
    shown = html_table(explanation)
    assert "largest effects on the logit" in shown
    first = np.abs(explanation.effects[0]).argmax()
    assert f"({explanation.effects[0, first]:+.2f})" in shown


def test_pairs_have_a_column(rng):
    pairs = [[0, 1], [0, 2], [1, 3], [2, 3]]
    explanation = random_records(
        rng, pairs=np.tile(pairs, (9, 1, 1)), pair_effects=np.tile([0.1, -0.7, 0.3, 0.2], (9, 1))
    )
    shown = html_table(explanation)
    label = explanation.label
    words = [
        f"{label(4, 0)} and {label(4, 2)} (-0.70)",
        f"{label(4, 1)} and {label(4, 3)} (+0.30)",
        f"{label(4, 2)} and {label(4, 3)} (+0.20)",
    ]
    assert f">{', '.join(words)}</td></tr>" in shown
    assert shown.count("</th>") == 5 == 1 + html_table(random_records(rng)).count("</th>")
    assert "together" not in html_table(random_records(rng))


def test_what_attention_is_worth_stands_below(rng):
    attention = {"auc_lost": 0.0, "logloss_lost": 0.0, "idle": True}
    explanation = random_records(rng, attention=attention)
    note = html.escape(explanation.attention_note())
    assert f"<p>{note}</p>" in html_table(explanation)
    assert "ttention" not in html_table(random_records(rng))


def test_how_exact_estimated_effects_are_stands_below(rng):
    effects = rng.normal(size=(9, 4))
    explanation = random_records(rng, effects=effects, effect_fidelity=FIDELITY)
    note = html.escape(explanation.effects_note())
    assert f"<p>{note}</p>" in html_table(explanation)
    assert "estimated" not in html_table(random_records(rng, effects=effects))


def test_values_are_escaped():
    explanation = explanation_of(
        [1.0], [[0.9, 0.1, 0.0]], [[1.0, 0.2, 0.0]], values=["<script>alert(1)</script>", "&", "x"]
    )
    shown = html_table(explanation)
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "&amp;" in shown
