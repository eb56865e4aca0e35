"""Tests of the batches of a prepared data set."""

import numpy as np
import pytest
import tensorflow as tf

from interhat_tf.input_pipeline.dataset import PreparedDataset
from interhat_tf.preprocessing import shuffle
from tests.input_pipeline.small_log import SmallLogBuilder, assert_equal, take

pytestmark = pytest.mark.usefixtures("small_windows")


def test_what_the_dataset_tells(dataset):
    assert dataset.schema.field_names == ("app", "city", "price")
    assert dataset.schema.vocabulary_sizes == (51, 21)
    assert [len(values) for values in dataset.vocabularies.values()] == [50, 20]
    assert dataset.statistics["records"] == 2_000
    assert [dataset.num_rows(split) for split in ("train", "validation", "test")] == [
        1600,
        200,
        200,
    ]


def test_batch_types(dataset):
    expected = (
        {
            "categorical": tf.TensorSpec((None, 2), tf.int32),
            "numerical": tf.TensorSpec((None, 1), tf.float32),
        },
        tf.TensorSpec((None,), tf.float32),
    )
    assert dataset.training_batches(8, seed=0).element_spec == expected
    assert dataset.evaluation_batches("test", 8).element_spec == expected


def test_evaluation_has_every_row_in_a_fixed_order(dataset):
    batches = take(dataset.evaluation_batches("validation", 64), None)
    assert [len(batch) for batch in batches] == [64, 64, 64, 8]
    assert_equal(take(dataset.evaluation_batches("validation", 64), None), batches)
    whole = take(dataset.evaluation_batches("validation", 1_000), None)
    np.testing.assert_array_equal(np.concatenate(batches), whole[0])


def test_a_pipeline_is_traced_once(dataset):
    batches = dataset.evaluation_batches("validation", 64)
    assert dataset.evaluation_batches("validation", 64) is batches
    assert dataset.evaluation_batches("validation", 65) is not batches
    crossed = dataset.with_crosses([("app", "city")])
    assert crossed.evaluation_batches("validation", 64) is not batches


def test_check_accepts_what_was_prepared(dataset):
    for split in ("train", "validation", "test"):
        dataset.check(split)


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("categorical", 70, 99, "field 'city', row 70: id 99 is outside the vocabulary [0, 21)"),
        ("categorical", 3, -1, "field 'city', row 3: id -1 is outside the vocabulary [0, 21)"),
        ("numerical", 70, np.nan, "field 'price', row 70: the number is nan; it must be finite"),
        ("label", 199, 2, "label, row 199: 2 is neither 0 nor 1"),
    ],
)
def test_check_names_the_row(tmp_path, monkeypatch, column, row, value, message):
    class DamagedBuilder(SmallLogBuilder, skip_registration=True):
        def _shard_iterators_per_split(self, dl_manager):
            iterators = super()._shard_iterators_per_split(dl_manager)
            (blocks,) = iterators["test"]

            def damaged():
                for key, block in blocks():
                    if key <= row < key + 64:
                        block[column].reshape(len(block["label"]), -1)[row - key, -1] = value
                    yield key, block

            return {**iterators, "test": [damaged]}

    monkeypatch.setattr(shuffle, "BLOCK_ROWS", 64)
    builder = DamagedBuilder(data_dir=tmp_path)
    builder.download_and_prepare()
    with pytest.raises(ValueError) as error:
        PreparedDataset(builder).check("test")
    assert str(error.value) == f"damaged_builder/1.0.0, test: {message}"


def test_ids_of_raw_values(dataset):
    for field, values in dataset.vocabularies.items():
        column = list(dataset.vocabularies).index(field)
        record = {"app": ["?"], "city": ["?"], "price": [None]}
        for value in values:
            ids = dataset.encode({**record, field: [value]})["categorical"][0]
            assert ids[column] == dataset.id_of(field, value) > 0
            assert ids[1 - column] == 0
    with pytest.raises(
        ValueError, match=r"^the .* of .* have no value 'Atlantis' in field 'city'$"
    ):
        dataset.id_of("city", "Atlantis")
    with pytest.raises(ValueError, match=r"no categorical field 'price'; it has app, city$"):
        dataset.id_of("price", "1")
