"""From a raw click log to a prepared set: reading, counting, encoding, shuffling, writing.

In the order in which a log passes through them:

- `rows`, `fields`: what a row of a log is, and the kinds of its fields;
- `log_files`, `file_log`, `log_parts`, `text_chunks`, `quoted_lines`, `text_parsing`, `text_log`,
  `json_log`, `parquet_log`, `table_log`: reading a log in chunks; `log_formats`: which of
  them a user's log needs;
- `column_forms`, `value_lists`, `times`, `labels`, `row_weights`, `histories`,
  `field_values`: what values mean; `checks`: what they may be;
- `kinds`, `column_plan`, `field_choices`, `log_plan`, `plan_report`: what becomes of each
  column of a user's log;
- `splits`, `time_order`: which rows train, validate and test;
- `vocabulary`, `value_tables`, `scaling`: counting values, fitting scales; `ancestor`: the
  set whose ids and scales a later one goes on with;
- `encoding`, `shuffle`: ids and numbers, and the random order of the rows;
- `local_runner`, `beam_runner`: all this on this machine, or on a cluster;
- `builder`: the tfds builder that puts them together.
"""
