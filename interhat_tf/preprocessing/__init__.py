"""From a raw click log to a prepared set: reading, counting, encoding, shuffling, writing.

In the order in which a log passes through them:

- `rows`, `fields`: what a row of a log is, and the kinds of its fields;
- `log_files`, `text_chunks`, `quoted_lines`, `text_parsing`, `text_log`, `json_log`,
  `parquet_log`, `table_log`: reading a log in chunks; `log_formats`: which of them a
  user's log needs; `checks`: what its values may be;
- `column_forms`, `times`, `labels`: what a column's values mean; `kinds`, `column_plan`,
  `log_plan`, `plan_report`: what becomes of the columns of a log that nobody described;
- `vocabulary`, `value_tables`: counting values;
- `encoding`: values as ids and numbers;
- `shuffle`: the random order of the rows;
- `local_runner`, `beam_runner`: both on this machine, or on a cluster;
- `builder`: the tfds builder that puts them together.
"""
