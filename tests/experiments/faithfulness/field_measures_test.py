import numpy as np
import pytest

from experiments.faithfulness import field_measures
from experiments.faithfulness.field_measures import Explained, measures, wrong_signs
from interhat_tf import Field, Schema
from interhat_tf.models import LR


@pytest.fixture
def linear():
    """A linear model of three fields whose second value adds 4, 2 and 1 to the logit."""
    schema = Schema([Field(name, "categorical", 2) for name in "abc"])
    model = LR(schema)
    weights = {weight.path.split("/")[-1]: weight for weight in model.weights}
    for weight in weights.values():
        weight.assign(np.zeros(weight.shape))
    table = next(w for w in model.weights if int(np.prod(w.shape)) == 6)
    table.assign(np.reshape([0, 4, 0, 2, 0, 1], table.shape))
    return model


def test_the_true_order_is_the_best_one(linear):
    inputs = {"categorical": np.ones((5, 3), int)}
    background = {"categorical": np.zeros((2, 3), int)}
    truth = np.tile([4.0, 2.0, 1.0], (5, 1))
    numbers = {"occlusion": truth, "attention": truth[:, ::-1], "random": truth[:, [0, 2, 1]]}
    found = field_measures.curves_of(linear, inputs, background, numbers)

    def share(logit):
        return (1 / (1 + np.exp(-logit)) - 0.5) / (1 / (1 + np.exp(-7.0)) - 0.5)

    np.testing.assert_allclose(
        found["occlusion"]["deletion"], [share(z) for z in (7, 3, 1, 0)], atol=1e-6
    )
    np.testing.assert_allclose(
        found["occlusion"]["insertion"], [share(z) for z in (0, 4, 6, 7)], atol=1e-6
    )
    np.testing.assert_allclose(
        found["attention"]["insertion"], [share(z) for z in (0, 1, 3, 7)], atol=1e-6
    )
    for kind, best in (("deletion", min), ("insertion", max)):
        areas = {name: row[kind].mean() for name, row in found.items()}
        assert best(areas, key=areas.get) == "occlusion"


def test_a_record_below_the_background_is_explained_by_what_lowers_it(linear):
    inputs = {"categorical": np.zeros((5, 3), int)}
    background = {"categorical": np.ones((2, 3), int)}
    numbers = {"occlusion": np.tile([-4.0, -2.0, -1.0], (5, 1))}
    found = field_measures.curves_of(linear, inputs, background, numbers)["occlusion"]
    # The largest of all, the first field, goes first: 0 0 0, 1 0 0, 1 1 0, 1 1 1.
    sigmoid = 1 / (1 + np.exp(-np.array([0.0, 4, 6, 7])))
    expected = (sigmoid[-1] - sigmoid) / (sigmoid[-1] - sigmoid[0])
    np.testing.assert_allclose(found["deletion"], expected, atol=1e-6)


def test_agreement_by_hand():
    one = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    assert field_measures.agreement([one, one]) == {"correlation": 1.0, "first": 1.0}
    assert field_measures.agreement([one, -one]) == {"correlation": -1.0, "first": 0.0}
    both = field_measures.agreement([one, one, -one])
    assert both["correlation"] == pytest.approx(-1 / 3) and both["first"] == pytest.approx(1 / 3)


def test_what_is_measured_of_a_method():
    values = np.array([[3.0, -2.0, 1.0], [0.5, 2.0, 1.0]])
    explained = Explained(
        values={"occlusion": values},
        other={"occlusion": -values},
        untrained={"occlusion": np.abs(values).max() - np.abs(values)},
        curves={"occlusion": {"deletion": np.array([1.0, 0.0]), "insertion": np.array([0.0, 2.0])}},
        effects=np.array([[1.0, 2.0, 3.0], [-1.0, 3.0, 2.0]]),
        side=np.array([1.0, -1.0]),
    )
    assert measures("occlusion", explained) == pytest.approx(
        {
            "deletion": 0.5,
            "insertion": 1.0,
            "effects": (-1 + 1) / 2,  # sizes 3 2 1 against 1 2 3, and .5 2 1 against 1 3 2
            "background": 1.0,
            "untrained": 1.0,
            "wrong_signs": 0.0,
        }
    )


def test_a_method_without_signs_claims_that_fields_support_the_prediction():
    weights, effects = np.array([[0.7, 0.3], [0.6, 0.4]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    explained = Explained(
        values={"attention": weights},
        other={"attention": weights},
        untrained={},
        curves={"attention": {}},
        effects=effects,
        side=np.array([1.0, -1.0]),  # of the second record the prediction is low
    )
    found = measures("attention", explained)
    assert found["wrong_signs"] == 0.5 and "untrained" not in found


def test_a_field_without_effect_has_no_wrong_sign():
    assert wrong_signs(np.array([[1.0, 0.0]]), np.array([[-1.0, 0.0]]), np.zeros((1, 2))) == 0


def test_each_question_has_the_records_that_it_is_against(linear):
    def records(value, rows=2):
        return {"categorical": np.full((rows, 3), value)}

    def attribute(model, inputs, background, seed):
        weight = np.asarray(model(records(1))).mean()  # 7 of the trained model
        value = background["categorical"].mean()
        return {"attention": np.full((4, 3), [value, seed, weight])}

    backgrounds = field_measures.Backgrounds(own=records(0), other=records(1), exact=records(1, 6))
    found = field_measures.explain(linear, records(1, 4), backgrounds, 5, attribute)
    assert found.values["attention"][0].tolist() == [0, 5, 7]
    assert found.other["attention"][0, 0] == 1 and found.other["attention"][0, 1] != 5
    assert found.untrained["attention"][0, 0] == 0 and found.untrained["attention"][0, 2] != 7
    assert (found.effects == 0).all() and (found.side == 1).all()  # they are like the exact ones
    assert found.curves["attention"]["insertion"][-1] == pytest.approx(1)
