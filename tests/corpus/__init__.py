"""Bad input as data: what is damaged, and the error that it must give; `../corpus_test.py`.

An entry is a table in one of the `.toml` files, which have defaults for `do` and `error`:

    of = "log/clicks.csv"                 # a file of the start, which `start.py` writes
    line = [61, "0,u1,Rome,abc,,test"]    # how it is damaged; `damage.py` has the ways
    do = "prepare"                        # what is called with it; `calls.py` has them
    with = { numerical = ["price"] }      # arguments of the call
    error = "DataError"                   # the type of the error, of `interhat_tf.errors`
    says = "clicks.csv:61: price is 'abc'; expected a number"  # a part of the message

What it says names the file and the line, the field or the setting that is wrong.
"""
