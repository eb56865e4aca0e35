"""The values of a set's fields in a chunk of a log, whose wrong rows are named by file and line."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.preprocessing.checks import FINITE, check_values
from interhat_tf.preprocessing.column_forms import RULES, Reading, read_source
from interhat_tf.preprocessing.rows import FileChunk


def read_fields(table: pa.Table, reading: Reading, chunk: FileChunk) -> pa.Table:
    """Returns the values of the fields, as `encode_values` takes them.

    Args:
        table: The rows of a chunk, with the log's columns.
        reading: How columns become fields.
        chunk: The chunk, for messages.

    Raises:
        ValueError: If a value is not of its field's form, or not finite. The message
            names file, line and column.
    """
    values = {}
    for field, source in reading.sources.items():
        column = table[source.column]
        found, right = read_source(column, source, reading.null_values, chunk.path)
        check_values(right, column, chunk, source.column, RULES.get(source.form, ""))
        if pa.types.is_floating(found.type) and not pc.all(pc.is_finite(found)).as_py():
            finite = np.asarray(pc.fill_null(pc.is_finite(found), True))
            check_values(finite, column, chunk, source.column, FINITE)
        values[field] = found
    return pa.table(values)
