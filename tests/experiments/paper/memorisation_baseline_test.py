"""The baseline on made-up logs of which memory knows nothing, a value, or a pair."""

import numpy as np
import pytest
import tensorflow as tf

from experiments.paper import memorisation_baseline as baseline
from experiments.paper.memorisation_baseline import Counts, PairMemory, memorisation_baseline
from interhat_tf import Field, Schema

SIZES = {"user": 30, "item": 40, "day": 7}


class Data:
    """A log whose click rates are a function of the ids; each split has its own random records."""

    name = "made-up/1.0.0"
    schema = Schema([Field(name, "categorical", size) for name, size in SIZES.items()])

    def __init__(self, rate, **other_rates):
        self.rates = dict.fromkeys(("train", "validation", "test"), rate) | other_rates
        self.read = []

    def records(self, split):
        rng = np.random.default_rng(list(self.rates).index(split))
        ids = rng.integers(tuple(SIZES.values()), size=(4000, 3)).astype("int32")
        labels = rng.random(4000) < self.rates[split](*ids.T)
        return ids, labels.astype("float32")

    def evaluation_batches(self, split, batch_size):
        self.read.append(split)
        ids, labels = self.records(split)
        return tf.data.Dataset.from_tensor_slices(({"categorical": ids}, labels)).batch(batch_size)


def of_pair(user, item, day):
    """0.95 or 0.05, by a random number of each pair of a user and an item."""
    return np.where(np.random.default_rng(9).random((30, 40))[user, item] < 0.5, 0.95, 0.05)


def of_item(user, item, day):
    return (item + 0.5) / 40


def test_a_pair_is_remembered():
    found = memorisation_baseline(Data(of_pair))
    assert found["fields"] == ["user", "item"]
    # The best possible AUC is 0.95; some pairs are not in training.
    assert 0.88 < found["auc"] < 0.95 and found["logloss"] < 0.4


def test_a_value_is_remembered_where_pairs_say_no_more():
    data = Data(of_item)
    found = memorisation_baseline(data)
    ids, labels = data.records("test")
    best = of_item(*ids.T)
    assert "item" in found["fields"]
    assert found["auc"] > baseline.metrics.auc(labels, best) - 0.02
    truth = baseline.metrics.logloss(labels, np.log(best / (1 - best)))
    assert found["logloss"] < truth + 0.02


def test_without_anything_to_remember_it_says_the_click_rate():
    found = memorisation_baseline(Data(lambda user, item, day: 0.3 + 0 * user))
    assert abs(found["auc"] - 0.5) < 0.03
    assert found["logloss"] == pytest.approx(0.611, abs=0.02)


def test_training_is_remembered_and_not_validation_or_test():
    def turned(*ids):
        return 1 - of_pair(*ids)

    # Validation and test agree: what training says is read the other way round.
    found = memorisation_baseline(Data(of_pair, validation=turned, test=turned))
    assert found["auc"] > 0.88
    # Only the test differs: what validation learnt of training is wrong there.
    found = memorisation_baseline(Data(of_pair, test=turned))
    assert found["auc"] < 0.12 and found["logloss"] > 1
    # Nothing is remembered of a training without a pattern.
    found = memorisation_baseline(Data(of_pair, train=lambda user, item, day: 0.5 + 0 * user))
    assert abs(found["auc"] - 0.5) < 0.1


def test_the_test_split_is_read_once_after_the_choice():
    data = Data(of_pair)
    memorisation_baseline(data)
    assert data.read == ["train", "validation", "test"]


def test_the_choice_is_made_by_some_records_and_the_weights_by_all(monkeypatch):
    monkeypatch.setattr(baseline, "CHOICE_ROWS", 1500)
    fitted = []

    class Spy(PairMemory):
        def __init__(self, fields, counts, training, validation):
            fitted.append((fields, len(validation[1])))
            super().__init__(fields, counts, training, validation)

    monkeypatch.setattr(baseline, "PairMemory", Spy)
    memorisation_baseline(Data(of_pair))
    assert fitted == [((0, 1), 1334), ((0, 2), 1334), ((1, 2), 1334), ((0, 1), 4000)]


def memory_of(ids, labels):
    counts = [Counts(values, labels) for values in ids.T]
    return PairMemory((0, 1), counts, (ids, labels), (ids, labels))


def test_what_is_remembered_of_a_pair():
    ids = np.array([[1, 1], [1, 1], [1, 2], [2, 1]])
    labels = np.array([1.0, 0.0, 0.0, 1.0])
    memory = memory_of(ids, labels)
    asked = np.array([[1, 1], [1, 2], [2, 2], [5, 9]])
    recalled = memory.recall(asked)
    # One click in three records and another in one, each with a record at the rate of all, 1 / 2.
    first, other = (1 + 0.5) / (3 + 1), (1 + 0.5) / (1 + 1)
    first_logit, other_logit = (np.log(rate / (1 - rate)) for rate in (first, other))
    np.testing.assert_allclose(recalled[:, 0], [first_logit, first_logit, other_logit, 0])
    second, nothing = (2 + 0.5) / (3 + 1), (0 + 0.5) / (1 + 1)
    second_logit, nothing_logit = (np.log(rate / (1 - rate)) for rate in (second, nothing))
    np.testing.assert_allclose(recalled[:, 1], [second_logit, nothing_logit, nothing_logit, 0])
    assert recalled[:, 3].tolist() == [1, -1, 0, 0]
    # A pair that was not there has the sum of its values' logits, as the rate of all is 1 / 2.
    assert recalled[2, 2] == pytest.approx(other_logit + nothing_logit)
    independent = 1 / (1 + np.exp(-first_logit - second_logit))
    rate = (1 + independent) / (2 + 1)
    assert recalled[0, 2] == pytest.approx(np.log(rate / (1 - rate)))


def test_a_pair_that_was_not_there_counts_the_rate_of_all_once():
    ids = np.array([[1, 1], [1, 2], [2, 1], [1, 1]])
    recalled = memory_of(ids, np.array([1.0, 0.0, 0.0, 0.0])).recall(np.array([[2, 2], [5, 9]]))
    rate = np.log(0.25 / 0.75)
    # Values that were not there say what all say, and the pair of them no less and no more.
    np.testing.assert_allclose(recalled[1], [rate, rate, rate, 0])
    assert recalled[0, 2] == pytest.approx(recalled[0, 0] + recalled[0, 1] - rate)


def test_pairs_are_not_mistaken_for_each_other():
    counts = Counts(np.array([3, 3, 7]), np.array([1.0, 0.0, 1.0]))
    records, clicks = counts.of(np.array([3, 7, 5, 9, 0]))
    assert records.tolist() == [2, 1, 0, 0, 0] and clicks.tolist() == [1, 1, 0, 0, 0]
    ids = np.array([[1, 12], [11, 2], [0, 1 << 31]])
    memory = memory_of(ids, np.array([1.0, 0.0, 1.0]))
    assert len(memory.pairs.known) == 3


def test_a_single_field_is_no_pair(monkeypatch):
    monkeypatch.setattr(Data, "schema", Schema([Field("user", "categorical", 30)]))
    with pytest.raises(ValueError, match="fewer than two categorical fields"):
        memorisation_baseline(Data(of_pair))
