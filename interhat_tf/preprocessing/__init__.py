"""From a raw click log to a prepared set: reading, counting, encoding, shuffling, writing.

In the order in which a log passes through them:

- `rows`, `fields`: what a row of a log is, and the kinds of its fields;
- `log_files`, `text_chunks`, `text_parsing`, `text_log`, `parquet_log`: reading a
  log in chunks; `checks` and `kinds`: what its values may be, and which kind of
  field a column is;
- `vocabulary`, `value_tables`: counting values;
- `encoding`: values as ids and numbers;
- `shuffle`: the random order of the rows;
- `local_runner`, `beam_runner`: both on this machine, or on a cluster;
- `builder`: the tfds builder that puts them together.
"""
