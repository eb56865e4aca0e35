"""The files of Taobao's ad log: ads, profiles of users, impressions and behaviours."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from interhat_tf.errors import DataError
from interhat_tf.preprocessing.checks import check_values
from interhat_tf.preprocessing.text_chunks import TextChunk, text_chunks
from interhat_tf.preprocessing.text_parsing import parse

WHOLE, NUMBER, TEXT = pa.int64(), pa.float64(), pa.string()

PROFILE = (
    "cms_segid",
    "cms_group_id",
    "final_gender_code",
    "age_level",
    "pvalue_level",
    "shopping_level",
    "occupation",
    "new_user_class_level",
)
AD = ("adgroup", "cate", "campaign", "customer", "brand", "price")
"""What is known of users and of ads, as the fields are called."""

COLUMNS = {
    "raw_sample": {
        "user": WHOLE,
        "time_stamp": WHOLE,
        "adgroup_id": WHOLE,
        "pid": TEXT,
        "nonclk": WHOLE,
        "clk": WHOLE,
    },
    "ad_feature": {
        "adgroup_id": WHOLE,
        "cate_id": WHOLE,
        "campaign_id": WHOLE,
        "customer": WHOLE,
        "brand": WHOLE,
        "price": NUMBER,
    },
    # The published file's last name ends in a blank.
    "user_profile": dict.fromkeys(("userid", *PROFILE[:-1], f"{PROFILE[-1]} "), WHOLE),
    "behavior_log": {
        "user": WHOLE,
        "time_stamp": WHOLE,
        "btag": TEXT,
        "cate": WHOLE,
        "brand": WHOLE,
    },
}
"""The columns of each file, in order."""

NULL = "NULL"
"""How a brand is written that is not known."""

BEHAVIOURS = ("pv", "cart", "fav", "buy")

MISSING = -1

MAX_ID = 2**31 - 1
"""The largest id, and the latest time in seconds since 1970."""

PID_BYTES = 16

IMPRESSION = np.dtype(
    [
        ("user", np.int32),
        ("time", np.int32),
        ("click", np.uint8),
        ("pid", f"S{PID_BYTES}"),
        *((name, np.int32) for name in AD[:-1]),
        ("price", np.float64),
        *((name, np.int32) for name in PROFILE),
    ]
)
"""An impression, with what is known of its ad and of its user; ids are `MISSING` or not below 0."""

BEHAVIOUR = np.dtype([(name, np.int32) for name in ("user", "time", "cate", "brand")])


def chunks_of(name: str, paths: Sequence[str]) -> Iterator[TextChunk]:
    """Yields the chunks of one of the files, a key of `COLUMNS`."""
    return text_chunks(paths, header=COLUMNS[name], delimiter=",")


def read_ads(paths: Sequence[str]) -> pa.Table:
    """Returns the ads: their id, which is unique, and the other values of `AD`.

    Raises:
        ValueError: If a line is not an ad, or an ad occurs twice; the message names it.
    """

    def read(chunk: TextChunk) -> list[pa.Array]:
        values = _parse("ad_feature", chunk)
        *names, price = values.column_names
        right = pc.and_(pc.is_finite(values[price]), pc.greater_equal(values[price], 0))
        right = pc.fill_null(right, False)
        check_values(right, values[price], chunk, price, "a price is a number of 0 or more")
        ids = [_ids(values, name, chunk, may_be_missing=name == "brand") for name in names]
        return [*ids, values[price].combine_chunks()]

    return _read_unique("ad_feature", paths, AD, read)


def read_profiles(paths: Sequence[str]) -> pa.Table:
    """Returns the users of whom there is a profile: their id, which is unique, and `PROFILE`.

    Raises:
        ValueError: If a line is not a profile, or a user occurs twice; the message names it.
    """

    def read(chunk: TextChunk) -> list[pa.Array]:
        values = _parse("user_profile", chunk)
        user, *names = values.column_names
        levels = [_ids(values, name, chunk, may_be_missing=True) for name in names]
        return [_ids(values, user, chunk), *levels]

    return _read_unique("user_profile", paths, ("user", *PROFILE), read)


def read_impressions(chunk: TextChunk, ads: pa.Table, profiles: pa.Table) -> np.ndarray:
    """Returns the impressions of a chunk.

    Args:
        chunk: The chunk of `raw_sample`.
        ads: All ads, as `read_ads` returns them.
        profiles: All profiles, as `read_profiles` returns them.

    Returns:
        (rows,) of the type `IMPRESSION`, in the order of the log.

    Raises:
        ValueError: If a line is not an impression of one of the ads; the message names it.
    """
    values = _parse("raw_sample", chunk)
    users, times = (_ids(values, name, chunk) for name in ("user", "time_stamp"))
    clicked, not_clicked = values["clk"], values["nonclk"]
    right = pc.and_(pc.is_in(clicked, pa.array([0, 1])), pc.equal(pc.add(clicked, not_clicked), 1))
    rule = "of clk and nonclk, one is 0 and the other 1"
    check_values(pc.fill_null(right, False), clicked, chunk, "clk", rule)
    pids = values["pid"].cast(pa.binary())
    short = pc.less_equal(pc.binary_length(pids), PID_BYTES)
    check_values(short, values["pid"], chunk, "pid", f"a pid has at most {PID_BYTES} bytes")
    positions = pc.index_in(_ids(values, "adgroup_id", chunk), value_set=ads["adgroup"])
    check_values(
        positions.is_valid(), values["adgroup_id"], chunk, "adgroup_id", "it is not in ad_feature"
    )
    rows = np.empty(chunk.rows, IMPRESSION)
    rows["user"], rows["time"], rows["click"] = users, times, clicked
    rows["pid"] = pids.to_numpy()
    of_users = profiles.take(pc.index_in(users, value_set=profiles["user"]))
    for table, names in ((ads.take(positions), AD), (of_users, PROFILE)):
        for name in names:
            rows[name] = pc.fill_null(table[name], MISSING)
    return rows


def read_behaviours(chunk: TextChunk, before: int) -> np.ndarray:
    """Returns the behaviours of a chunk until a time.

    Args:
        chunk: The chunk of `behavior_log`.
        before: The time before which they are. Those before 1970 are left out as well:
            the published log has times that are none.

    Returns:
        Of the type `BEHAVIOUR`, in the order of the log.

    Raises:
        ValueError: If a line is not a behaviour; the message names it.
    """
    values = _parse("behavior_log", chunk)
    times = values["time_stamp"]
    check_values(times.is_valid(), times, chunk, "time_stamp", "a time is in seconds since 1970")
    known = pc.is_in(values["btag"], pa.array(BEHAVIOURS))
    check_values(known, values["btag"], chunk, "btag", f"it can be {', '.join(BEHAVIOURS)}")
    kept = np.asarray(pc.and_(pc.greater(times, 0), pc.less(times, before)))
    rows = np.empty(np.count_nonzero(kept), BEHAVIOUR)
    rows["time"] = times.to_numpy()[kept]
    for name in ("user", "cate", "brand"):
        ids = _ids(values, name, chunk, may_be_missing=name == "brand")
        rows[name] = np.asarray(pc.fill_null(ids, MISSING))[kept]
    return rows


def _parse(name, chunk):
    return parse(chunk, COLUMNS[name], delimiter=",", null_values=[NULL])


def _ids(values, name, chunk, may_be_missing=False):
    """Returns a column of ids as int32, null where missing."""
    column = values[name]
    right = pc.and_(pc.greater_equal(column, 0), pc.less_equal(column, MAX_ID))
    rule = f"expected a whole number from 0 to {MAX_ID:,}"
    check_values(pc.fill_null(right, may_be_missing), column, chunk, name, rule)
    return column.combine_chunks().cast(pa.int32())


def _read_unique(
    name: str, paths: Sequence[str], names: Sequence[str], read: Callable[[TextChunk], list]
) -> pa.Table:
    """Returns all of a file; no two rows have the same id, which is the first column."""
    chunks = list(chunks_of(name, paths))
    tables = [pa.table(read(chunk), names) for chunk in chunks]
    table = pa.concat_tables(tables).combine_chunks()
    ids = table[names[0]].to_numpy()
    order = np.argsort(ids, kind="stable")
    again = order[1:][np.diff(ids[order]) == 0]
    if len(again):
        row = int(again.min())
        chunk = next(chunk for chunk in chunks if row < chunk.first_row + chunk.rows)
        raise DataError(
            f"{chunk.path}:{chunk.line_of(row - chunk.first_row)}: {next(iter(COLUMNS[name]))} "
            f"{ids[row]} occurs twice; keep one line"
        )
    return table
