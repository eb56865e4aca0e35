import numpy as np

from experiments.trees.records import categorical_columns, matrix, read_records
from interhat_tf import Cross
from interhat_tf.layers import CrossedFields
from interhat_tf.schema import CATEGORICAL, FOLD
from tests.input_pipeline.conftest import dataset  # noqa: F401


def test_all_records_of_a_split_in_the_schemas_order(dataset):  # noqa: F811
    fields, labels = read_records(dataset, "validation")
    (inputs, expected), *_ = dataset.evaluation_batches("validation", 10_000).as_numpy_iterator()
    assert len(fields) == dataset.num_rows("validation")
    np.testing.assert_array_equal(labels, expected)
    for column, field in enumerate(dataset.schema.fields):
        kind = inputs[field.kind]
        of_kind = [f for f in dataset.schema.fields if f.kind == field.kind]
        np.testing.assert_array_equal(fields[:, column], kind[:, of_kind.index(field)])
    assert categorical_columns(dataset.schema) == list(range(inputs["categorical"].shape[1]))


def test_ids_alone_stay_integers():
    assert matrix({"categorical": np.array([[1, 2]], "int32")}).dtype == np.int32


def test_training_records_do_not_count_their_own_clicks(dataset):  # noqa: F811
    names = [field.name for field in dataset.schema.categorical[:2]]
    data = dataset.with_crosses([Cross(names, click_counts=True)])
    fields, _ = read_records(data, "train")
    inputs, _ = next(data.evaluation_batches("train", 10_000).as_numpy_iterator())
    crossing = CrossedFields(data.schema)
    counted = np.asarray(crossing(inputs[CATEGORICAL], inputs[FOLD]))
    np.testing.assert_array_equal(fields[:, : counted.shape[1]], counted)
    assert (counted != np.asarray(crossing(inputs[CATEGORICAL]))).any()
