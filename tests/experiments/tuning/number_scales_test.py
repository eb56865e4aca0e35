import numpy as np
import pytest
from absl.testing import flagsaver

from experiments.tuning import number_scales
from interhat_tf.utils.files import read_json


def test_scales_are_compared_on_the_same_rows(study_flags, monkeypatch):
    monkeypatch.setattr(number_scales, "EPOCHS", 1)
    monkeypatch.setattr(number_scales, "SCALES", ("min-max", "buckets"))
    monkeypatch.setattr(number_scales, "MODELS", {"dnn": number_scales.dnn})
    with flagsaver.flagsaver(seeds=[0, 1], scaled_rows=1000):
        number_scales.main(None)
    found = read_json(study_flags / "results/number_scales/generated/summary.json")
    auc = {scale: metrics["auc"] for scale, metrics in found["models"]["dnn"].items()}
    first, buckets = auc["min-max"], auc["buckets"]
    assert "difference" not in first and len(buckets["runs"]) == 2
    difference = np.mean(np.subtract(buckets["runs"], first["runs"]))
    assert buckets["difference"]["mean"] == pytest.approx(difference)


@pytest.mark.parametrize("scaling", number_scales.SCALES)
def test_scales_keep_what_is_missing_apart(scaling):
    ids, numbers, labels = number_scales.generate(1000, 0)
    schema, inputs = number_scales.scaled(ids, numbers, 800, scaling)
    schema.check(inputs)
    missing = np.isnan(numbers)
    assert missing.any() and 0.2 < labels.mean() < 0.8
    if scaling == "buckets":
        buckets = inputs["categorical"][:, 2]
        assert set(buckets[missing[:, 0]]) == {buckets.max()}
        assert (buckets[~missing[:, 0]] < buckets.max()).all()
    else:
        np.testing.assert_array_equal(np.isnan(inputs["numerical"]), missing)


def test_counts_of_criteos_format(tmp_path):
    row = ["1", "", "3", *["7"] * 11, *["a"] * 26]
    (tmp_path / "log.txt").write_text("\n".join(["\t".join(row)] * 3))
    ids, numbers, labels = number_scales.read_counts(str(tmp_path / "log.txt"), 0)
    assert ids.shape == (3, 0) and numbers.shape == (3, 13) and labels.tolist() == [1, 1, 1]
    assert np.isnan(numbers[:, 0]).all() and (numbers[:, 1] == 3).all()


@pytest.mark.parametrize("scaling", number_scales.SCALES)
def test_a_scale_knows_nothing_of_validation(scaling):
    seen = np.array([1.0, 2.0, 5.0, np.nan, 9.0, 30.0, 2.0, 4.0])
    columns = [np.append(seen, later) for later in ([3.0, 4.0], [1e6, -50.0])]
    if scaling == "buckets":
        found = [number_scales.in_buckets(column, 8) for column in columns]
    else:
        found = [number_scales.on_scale(column, 8, scaling) for column in columns]
    np.testing.assert_array_equal(found[0][:8], found[1][:8])


def test_the_first_rows_train_and_metrics_are_of_the_rest(monkeypatch):
    trained = []

    class Model:
        predict_on_batch = compile = adapt_scores = lambda *_: None

        def fit(self, batches, **_):
            trained.append([label for _, labels in batches for label in labels.numpy()])

    def evaluate_batches(batches, predict):
        return [label for _, labels in batches for label in labels.numpy()]

    monkeypatch.setattr(number_scales, "EarlyStopping", lambda *_, **__: None)
    monkeypatch.setattr(number_scales, "evaluate_batches", evaluate_batches)
    ids, numbers, _ = number_scales.generate(1000, 0)
    log = ids, numbers, np.arange(1000)
    of_rest = number_scales.run(lambda schema, rows: Model(), log, "min-max", 0)
    assert sorted(trained[0]) == list(range(800)) and of_rest == list(range(800, 1000))
