import numpy as np
import pytest

from interhat_tf.input_pipeline.dataset import PreparedDataset

from .synthetic_rules_dataset_builder import Builder, RuleConfig


def read_all(dataset):
    """The values' numbers, 1 for b1, (rows, fields), and the labels of all splits."""
    numbers, labels = [], []
    for split in ("train", "validation", "test"):
        for inputs, label in dataset.evaluation_batches(split, 8_192).as_numpy_iterator():
            columns = [
                np.array([0] + [int(value[1:]) for value in vocabulary])[ids]
                for vocabulary, ids in zip(
                    dataset.vocabularies.values(), inputs["categorical"].T, strict=True
                )
            ]
            numbers.append(np.column_stack(columns))
            labels.append(label)
    return np.concatenate(numbers), np.concatenate(labels)


def prepare(config, data_dir):
    builder = Builder(config=config, data_dir=data_dir)
    builder.download_and_prepare()
    return PreparedDataset(builder)


@pytest.mark.parametrize(
    ("config", "matching_values", "share"),
    [
        ("rule_1", {1: 1}, 1 / 10),
        ("rule_2", {3: 3, 4: 4}, 1 / 100),
        ("rule_2_dense", {3: 3, 4: 1}, 1 / 9),
        ("rule_3", {5: 5, 6: 6, 7: 7}, 1 / 1_000),
        ("rule_3_dense", {5: 2, 6: 3, 7: 1}, 1 / 27),
    ],
)
def test_labels_follow_the_rule(tmp_path, config, matching_values, share):
    dataset = prepare(config, tmp_path)
    assert [dataset.num_rows(split) for split in ("train", "validation", "test")] == [
        80_000,
        10_000,
        10_000,
    ]
    numbers, labels = read_all(dataset)
    matches = np.ones(len(numbers), bool)
    for field, value in matching_values.items():
        matches &= numbers[:, field - 1] == value

    def within(observed, expected, rows):
        return abs(observed - expected) < 4 * np.sqrt(expected * (1 - expected) / rows)

    assert within(matches.mean(), share, len(numbers))
    assert within(labels[matches].mean(), 0.9, matches.sum())
    assert within(labels[~matches].mean(), 0.2, (~matches).sum())


def test_half_of_the_values_are_those_of_the_field_before(tmp_path):
    numbers, labels = read_all(prepare("rule_2_correlated", tmp_path))
    for field in range(1, 10):  # half, and a third of the others by chance
        same = (numbers[:, field] == numbers[:, field - 1]).mean()
        assert abs(same - 2 / 3) < 0.01
    matches = (numbers[:, 2] == 3) & (numbers[:, 3] == 1)
    assert abs(matches.mean() - 1 / 18) < 0.003 and abs(labels[matches].mean() - 0.9) < 0.02


def test_of_a_parity_neither_field_tells_anything_alone(tmp_path):
    numbers, labels = read_all(prepare("parity", tmp_path))
    differ = numbers[:, 2] != numbers[:, 3]
    assert abs(labels[differ].mean() - 0.9) < 0.01 and abs(labels[~differ].mean() - 0.2) < 0.01
    for field in (2, 3):
        assert abs(labels[numbers[:, field] == 1].mean() - 0.55) < 0.01


def test_the_log_odds_of_two_groups_add_up(tmp_path):
    numbers, labels = read_all(prepare("mixture", tmp_path))
    one, pair = numbers[:, 0] == 1, (numbers[:, 2] == 3) & (numbers[:, 3] == 1)
    both = 1 / (1 + np.exp(-(2 * np.log(9) - np.log(0.25))))
    rates = {(0, 0): 0.2, (1, 0): 0.9, (0, 1): 0.9, (1, 1): both}
    for (of_one, of_pair), rate in rates.items():
        chosen = (one == of_one) & (pair == of_pair)
        assert abs(labels[chosen].mean() - rate) < 0.01


def test_fields_are_uniform_and_independent(tmp_path):
    dataset = prepare("rule_2", tmp_path)
    assert dataset.schema.field_names == tuple(f"f{i}" for i in range(1, 11))
    assert dataset.statistics["distinct_features"] == 100
    numbers, _ = read_all(dataset)
    for field in range(10):
        counts = np.bincount(numbers[:, field], minlength=11)[1:]
        assert (abs(counts - 10_000) < 500).all()
    correlations = np.corrcoef(numbers.T) - np.eye(10)
    assert abs(correlations).max() < 0.02


def test_a_rule_of_ones_own_and_its_seed(tmp_path):
    def rule(name, seed):
        return RuleConfig(
            name=name,
            group=(2,),
            p1=1.0,
            p2=0.0,
            records=1_000,
            num_fields=3,
            num_values=4,
            seed=seed,
        )

    numbers, labels = read_all(prepare(rule("one", 1), tmp_path))
    assert numbers.shape == (1_000, 3)
    np.testing.assert_array_equal(labels, numbers[:, 1] == 2)
    again, _ = read_all(prepare(rule("again", 1), tmp_path))
    np.testing.assert_array_equal(again, numbers)
    other, _ = read_all(prepare(rule("other", 2), tmp_path))
    assert (other != numbers).any()
