import collections
import datetime
import gzip
import itertools
import random

import numpy as np
import pytest

from interhat_tf.input_pipeline import catalog

from . import user_partitions
from .raw_files import AD, COLUMNS, PROFILE
from .taobao_ads_dataset_builder import MIN_COUNT, Builder
from .user_partitions import MAX_HISTORY

SPLITS = ("train", "validation", "test")
CHINA = datetime.timezone(datetime.timedelta(hours=8))
START = int(datetime.datetime(2017, 5, 6, tzinfo=CHINA).timestamp())
DAY = 86_400
WITHOUT_PROFILE, WITHOUT_BEHAVIOURS = "7", "262"  # of one partition
OF_STRANGE_TIMES = "18"
USERS = [*map(str, range(1, 20)), WITHOUT_BEHAVIOURS, "1000000"]


def raw_rows():
    """The rows of small files in the published form, as lists of text."""
    draw = random.Random(0)

    def brand():
        return draw.choice(["NULL", *map(str, range(90_000, 90_012))])

    def times(days, number):
        # Few seconds, so that much happens at once.
        return [
            START + DAY * draw.randrange(*days) + 1_800 * draw.randrange(48) for _ in range(number)
        ]

    prices = iter(["0.01", "1.0E8", *(f"{price}.9" for price in range(38))])
    ads = [
        [str(ad), str(6_000 + ad % 9), str(ad % 7), str(ad % 5), brand(), next(prices)]
        for ad in range(1, 41)
    ]
    levels = [*4 * ["0123"], ["", "1", "2"], "3", "0", ["", "1", "4"]]
    profiles = [
        [user, *map(draw.choice, levels)] for user in [*USERS, "55555"] if user != WITHOUT_PROFILE
    ]
    impressions = []
    for time in [START, START + 8 * DAY - 1, *times((0, 8), 1_500)]:
        click = draw.choice("0001")
        ad, pid = str(draw.randrange(1, 40)), draw.choice(["430548_1007", "430539_1007"])
        impressions.append([draw.choice(USERS), str(time), ad, pid, str(1 - int(click)), click])
    events = [(draw.choice([*USERS[:12], "44444", "1000000"]), t) for t in times((-14, 8), 4_000)]
    events += [(OF_STRANGE_TIMES, time) for time in (START - 7, -17, 0, 2**40, START + 2 * DAY)]
    behaviours = []
    for user, time in events:
        kind, cate = draw.choice(["pv", "cart", "fav", "buy"]), str(6_000 + draw.randrange(12))
        behaviours.append([user, str(time), kind, cate, brand()])
    return dict(zip(COLUMNS, (impressions, ads, profiles, behaviours), strict=True))


def text_of(name, rows):
    return "".join(",".join(row) + "\n" for row in [list(COLUMNS[name]), *rows])


def write_taobao(folder, rows=None):
    """Writes the files; returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, of_file in (rows or raw_rows()).items():
        (folder / f"{name}.csv").write_text(text_of(name, of_file))
    return folder


def prepare(folder, raw=None, **options):
    return catalog.prepare(Builder(data_dir=folder), raw, **options)


@pytest.fixture(scope="module", autouse=True)
def few_partitions():
    """Partitions with several users each."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(user_partitions, "PARTITIONS", 5)
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("taobao")
    prepare(folder, write_taobao(folder / "raw"))
    return folder


@pytest.fixture(scope="module")
def data(prepared):
    return prepare(prepared)


def files_in(folder):
    """The prepared files, by name."""
    return {path.name: path.read_bytes() for path in folder.rglob("*.tfrecord*")}


def refuse(tmp_path, raw, message, error=ValueError):
    """Preparation stops with a message and leaves nothing."""
    with pytest.raises(error, match=message):
        prepare(tmp_path / "prepared", raw)
    left = [path for path in (tmp_path / "prepared").rglob("*") if not path.is_dir()]
    assert [path.suffix for path in left] == [".lock"]
    assert not list((tmp_path / "prepared").rglob("*.tmp"))


def split_of(time):
    return SPLITS[max((int(time) - START) // DAY - 5, 0)]


def plain_records(rows):
    """Each impression's split, values as lists of text, and label, computed one by one."""
    ads = {row[0]: dict(zip(AD, row, strict=True)) for row in rows["ad_feature"]}
    profiles = {row[0]: dict(zip(PROFILE, row[1:], strict=True)) for row in rows["user_profile"]}
    of_users = collections.defaultdict(list)
    for user, time, _, cate, brand in rows["behavior_log"]:
        of_users[user].append((int(time), cate, brand))
    for user, time, ad, pid, _, click in rows["raw_sample"]:
        before = [behaviour for behaviour in of_users[user] if 0 < behaviour[0] < int(time)]
        before = sorted(before, key=lambda behaviour: behaviour[0])[-MAX_HISTORY:]
        values = {"user": user, "pid": pid, **ads[ad]}
        values |= profiles.get(user) or dict.fromkeys(PROFILE, "")
        values["hour"] = str(datetime.datetime.fromtimestamp(int(time), CHINA).hour)
        values = {name: [value] for name, value in values.items()}
        values["cate_history"] = [cate for _, cate, _ in before]
        values["brand_history"] = [brand for *_, brand in before]
        found = {name: [v.replace("NULL", "") for v in of] for name, of in values.items()}
        yield split_of(time), found, int(click)


def expected_records(rows, price_scale):
    """The same as a prepared set has it: values that training has seldom are `None`."""
    found, counts = list(plain_records(rows)), collections.Counter()
    for split, values, _ in found:
        if split == "train":
            counts.update((name, value) for name in values for value in values[name])
    records = {split: [] for split in SPLITS}
    for split, values, click in found:
        (price,) = values.pop("price")
        record = {"label": click, "price": np.float32(price_scale.apply(np.array([float(price)])))}
        for name, of_field in values.items():
            owner = name.removesuffix("_history")
            record[name] = tuple(v if counts[owner, v] >= MIN_COUNT else None for v in of_field)
        records[split].append(key_of(record))
    return records


def records(data, split):
    """A split's records in the same form, sorted."""
    names = {name: [None, *values] for name, values in data.vocabularies.items()}
    found = []
    for inputs, labels in data.evaluation_batches(split, 256).as_numpy_iterator():
        for ids, lists, price, label in zip(
            *(inputs[kind] for kind in ("categorical", "multivalued", "numerical")),
            labels,
            strict=True,
        ):
            record = {"label": int(label), "price": price}
            for field, value in zip(data.schema.categorical, ids, strict=True):
                record[field.name] = (names[field.name][value],)
            for field in data.schema.sequences:
                of_field = lists[data.schema.value_columns(field.name)]
                record[field.name] = tuple(names[field.shares][i] for i in of_field if i >= 0)
            found.append(key_of(record))
    return found


def key_of(record):
    record["price"] = round(float(record["price"].item()), 4)
    return tuple(sorted(record.items()))


def test_every_record_is_that_of_a_plain_loop(data):
    expected = expected_records(raw_rows(), data.encoding.scale_of("price"))
    for split in SPLITS:
        assert collections.Counter(records(data, split)) == collections.Counter(expected[split])
    lengths, users = collections.Counter(), collections.defaultdict(list)
    for record in map(dict, itertools.chain.from_iterable(expected.values())):
        lengths[len(record["cate_history"])] += 1
        users[record["user"]].append(record)
    # What the loop is to be compared on does occur.
    assert lengths[0] > 100 and lengths[MAX_HISTORY] > 100
    assert all(record["age_level"] == ("",) for record in users[WITHOUT_PROFILE,])
    assert all(record["brand_history"] == () for record in users[WITHOUT_BEHAVIOURS,])
    assert {len(record["cate_history"]) for record in users[OF_STRANGE_TIMES,]} == {1, 2}
    assert any(record["brand"] == ("",) for record in users[WITHOUT_BEHAVIOURS,])
    assert any("" in record["brand_history"] for record in users["1",])
    assert any(None in record["cate_history"] for record in users["1",])
    assert data.statistics["records"] == sum(lengths.values()) == 1_502


def test_fields(data):
    names = ("user", "pid", *AD[:-1], *PROFILE, "hour", "price", "cate_history", "brand_history")
    assert data.schema.field_names == names
    assert [(field.name, field.shares) for field in data.schema.sequences] == [
        ("cate_history", "cate"),
        ("brand_history", "brand"),
    ]


def test_nothing_but_the_set_is_left(prepared):
    assert not list(prepared.rglob("*.tmp"))
    assert len(files_in(prepared)) == len(SPLITS)


def test_how_the_files_are_cut_makes_no_difference(prepared, tmp_path):
    for name, of_file in raw_rows().items():
        (tmp_path / f"{name}.csv").mkdir()
        for number, part in enumerate([of_file[:13], of_file[13:15], of_file[15:]]):
            data = text_of(name, part).encode()
            path = tmp_path / f"{name}.csv" / f"{number}.csv"
            if number == 1:
                path, data = path.with_suffix(".csv.gz"), gzip.compress(data)
            path.write_bytes(data)
    prepare(tmp_path / "prepared", tmp_path)
    assert files_in(tmp_path / "prepared") == files_in(prepared)


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("raw_sample", "1,1494137644", "expected 6 values, found 2; the line is damaged or cut"),
        ("raw_sample", "me,1494137644,1,p,1,0", "user is 'me'; expected a whole number of at m"),
        ("raw_sample", ",1494137644,1,p,1,0", "user is None; expected a whole number from 0 to"),
        ("raw_sample", "1,14941376440,1,p,1,0", "time_stamp is 14941376440; expected a whole nu"),
        ("raw_sample", "1,1494137644,1,p,1,1", "clk is 1; of clk and nonclk, one is 0 and the"),
        ("raw_sample", "1,1494137644,1,p,-1,2", "clk is 2; of clk and nonclk, one is 0 and the"),
        ("raw_sample", "1,1494137644,1,p,1,", "clk is None; of clk and nonclk, one is 0 and"),
        ("raw_sample", "1,1494137644,77,p,1,0", "adgroup_id is 77; it is not in ad_feature"),
        (
            "raw_sample",
            "1,1494137644,1,12345678901234567,1,0",
            "pid is .12345678901234567.; a pid has at most",
        ),
        ("ad_feature", "2,6,8,1,NULL,free", "price is 'free'; expected a number"),
        ("ad_feature", "2,6,8,1,NULL,inf", "price is inf; a price is a number of 0 or more"),
        ("ad_feature", "2,6,8,1,NULL,-0.5", "price is -0.5; a price is a number of 0 or more"),
        ("ad_feature", "2,6,8,1,NULL,NULL", "price is None; a price is a number of 0 or more"),
        ("ad_feature", "2,NULL,8,1,NULL,1", "cate_id is None; expected a whole number from 0"),
        ("ad_feature", "2,6,-8,1,NULL,1", "campaign_id is -8; expected a whole number from 0"),
        ("ad_feature", "1,6,8,1,NULL,1", "adgroup_id 1 occurs twice; keep one line"),
        ("user_profile", "1,0,5,2,5,,3,0,3", "userid 1 occurs twice; keep one line"),
        ("user_profile", "2,0,5,f,5,,3,0,3", "final_gender_code is 'f'; expected a whole numbe"),
        ("behavior_log", "2,1493741625,ipv,6250,9", "btag is 'ipv'; it can be pv, cart, fav, buy"),
        ("behavior_log", "2,,pv,6250,9", "time_stamp is None; a time is in seconds since 1970"),
        ("behavior_log", "2,1493741625,pv,6250,3000000000", "brand is 3000000000; expected a who"),
        ("behavior_log", "2,1493741625,pv,,9", "cate is None; expected a whole number from 0 to"),
        ("behavior_log", "", "the line is empty; remove it"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, name, line, message):
    rows = raw_rows()
    rows[name][1] = line.split(",")
    refuse(tmp_path, write_taobao(tmp_path / "raw", rows), rf"{name}\.csv:3: {message}")


def test_a_header_without_its_blank(tmp_path):
    raw = write_taobao(tmp_path / "raw")
    path = raw / "user_profile.csv"
    path.write_text(path.read_text().replace("level \n", "level\n"))
    refuse(tmp_path, raw, r"user_profile\.csv:1: the header must be userid, cms_segid")


def test_a_file_that_is_missing_or_cut_off(tmp_path):
    raw = write_taobao(tmp_path / "raw")
    log = raw / "behavior_log.csv"
    (raw / "behavior_log.csv.gz").write_bytes(gzip.compress(log.read_bytes())[:-900])
    log.unlink()
    refuse(tmp_path, raw, r"behavior_log\.csv\.gz: the gzip file is cut off or damaged")
    (raw / "behavior_log.csv.gz").unlink()
    refuse(tmp_path, raw, r"behavior_log\.csv is missing: get it from", FileNotFoundError)


def test_a_log_of_two_days_has_none_to_train_on(tmp_path):
    rows = raw_rows()
    rows["raw_sample"] = [row for row in rows["raw_sample"] if int(row[1]) >= START + 6 * DAY]
    raw = write_taobao(tmp_path / "raw", rows)
    refuse(tmp_path, raw, r"taobao_ads/1\.0\.0: the train split has no rows")


def test_object_storage_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Builder, "_folder", lambda _, name: f"gs://bucket/{name}.tmp")
    message = r"gs://bucket/users\.tmp: the logs are sorted by user in files of this folder"
    refuse(tmp_path, write_taobao(tmp_path / "raw"), message)


@pytest.mark.slow
def test_beam_makes_the_same_files(prepared, tmp_path):
    options = pytest.importorskip("apache_beam.options.pipeline_options").PipelineOptions(
        ["--runner=DirectRunner", "--direct_running_mode=in_memory"]
    )
    raw = write_taobao(tmp_path / "raw")
    prepare(tmp_path / "prepared", raw, beam_options=options)
    assert files_in(tmp_path / "prepared") == files_in(prepared)
