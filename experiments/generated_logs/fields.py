"""What the columns of a generated Criteo or Avazu log hold, and what makes users click in it.

A column's values are numbered from the most frequent one on, and their frequencies follow a
bounded power law. Three sources, none of which is a row of the real logs:

- the numbers of distinct values are the public ones of the full logs (Criteo: as the DLRM
  reference code prints them after preparing the Kaggle file, where a missing value counts as one
  value, and data set statistics for I1 to I13; Avazu: data set descriptions);
- the laws were fitted by hand and by least squares to the first 10,000 rows of the real files: how
  many distinct values those hold, the share of the most frequent one, the quantiles of I1 to I13;
- shares of missing values are those of the same 10,000 rows, rounded.

Columns are independent of one another, unlike the real ones: there a site has one domain, and C3,
C12 and C16 are missing together. A planted column has a flatter law where its most frequent value
would otherwise outweigh all others.
"""

import dataclasses
import functools
import zlib

import numpy as np

# Highest number of values: hexadecimal codes have 32 bits, of which a special text takes the last
# ones, and integers have 8 digits.
MAX_CODES = 2**32 - 8
MAX_INTEGERS = 10**8


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of independent values.

    The value of number x = 0, 1, 2, … has the probability F(x + 1) - F(x), where F is linear in
    (offset + x) ** (1 - exponent), 0 at x = 0 and 1 at the number of values. A larger offset makes
    the most frequent values more alike.

    Args:
        name: The field's name.
        distinct: Distinct values in the full log, special ones included.
        exponent: The power law's; not 1.
        offset: Where the power law starts; above 0.
        special: Pairs of a text and its share of all rows, for missing values and the like. With
            the text None, it is one more hexadecimal code.
        first: The integer that is written for number 0, 1 more for the next number, and so on;
            None writes 8 hexadecimal digits.
    """

    name: str
    distinct: int
    exponent: float
    offset: float = 1.0
    special: tuple = ()
    first: int | None = None

    @property
    def special_share(self) -> float:
        """Share of the rows that have a special text."""
        return sum(share for _, share in self.special)

    def mass(self, numbers: np.ndarray | int, num_values: int) -> np.ndarray | float:
        """Returns F at `numbers` for a law of `num_values` values."""
        low, high = self._powers(num_values)
        return ((self.offset + numbers) ** (1 - self.exponent) - low) / (high - low)

    def expected_distinct(self, rows: int, num_values: int) -> float:
        """Returns how many of `num_values` values are expected in `rows` rows."""
        # Exact for the first values; those of a bin further out are nearly equally frequent.
        edges = np.unique(
            np.concatenate(
                [np.arange(min(num_values, 300) + 1), np.geomspace(1, num_values, 1500).round()]
            )
        )
        counts = np.diff(edges)
        # Differences of F cancel far out; never below 0.
        mass = np.maximum(np.diff(self.mass(edges, num_values)), 0)
        drawn = rows * (1 - self.special_share)
        return float((counts * -np.expm1(-drawn * mass / counts)).sum())

    def num_values(self, log_rows: int) -> int:
        """Returns the number of values of which a log of `log_rows` rows shows `distinct`."""
        wanted = self.distinct - len(self.special)
        low, high = wanted, MAX_CODES if self.first is None else MAX_INTEGERS - self.first
        while low < high:
            middle = (low + high) // 2
            if self.expected_distinct(log_rows, middle) >= wanted - 0.5:
                high = middle
            else:
                low = middle + 1
        return low

    def draw(self, uniform: np.ndarray, num_values: int) -> np.ndarray:
        """Returns the numbers, int64, that numbers in [0, 1) stand for; -1, -2, … are special."""
        share = self.special_share
        low, high = self._powers(num_values)
        position = np.maximum(uniform - share, 0) * ((high - low) / (1 - share)) + low
        numbers = (position ** (1 / (1 - self.exponent)) - self.offset).astype(np.int64)
        np.clip(numbers, 0, num_values - 1, out=numbers)
        below = share
        for i in reversed(range(len(self.special))):
            numbers[uniform < below] = -1 - i
            below -= self.special[i][1]
        return numbers

    def texts(self, numbers: np.ndarray) -> np.ndarray:
        """Returns the texts of numbers, padded with NUL bytes: bytes strings of 8."""
        if self.first is None:
            texts = hexadecimal(self.codes(numbers))
        else:
            texts = decimal(np.maximum(numbers, 0) + self.first)
        for i, (text, _) in enumerate(self.special):
            if text is not None:
                texts[numbers == -1 - i] = text.encode()
        return texts

    def codes(self, numbers: np.ndarray) -> np.ndarray:
        """Returns 32-bit codes of numbers, distinct within the column and scattered."""
        key = np.uint32(zlib.crc32(self.name.encode()) | 1)
        # Each step can be undone: an odd factor, an added number, a shifted copy. A special
        # number, -1, becomes 2 ** 32 - 1, which is no value's.
        codes = numbers.astype(np.uint32) * key + (key ^ np.uint32(0x9E3779B9))
        codes ^= codes >> np.uint32(16)
        codes *= np.uint32(0x7FEB352D)
        codes ^= codes >> np.uint32(15)
        codes *= np.uint32(0x846CA68B)
        codes ^= codes >> np.uint32(16)
        return codes

    def _powers(self, num_values):
        return tuple((self.offset + end) ** (1 - self.exponent) for end in (0, num_values))


@dataclasses.dataclass(frozen=True)
class Term:
    """A term of the planted logit: strength x the product of its fields' levels.

    The field's values, a missing one like any other, are distributed to as many groups as there
    are levels, so that the groups are about equally frequent. Levels of 0 and 1 make several fields
    count only together, where each of them has a 1, as the paper's planted rules do. Levels that
    rise and fall, of numbers `in_order`, are a logit that does not follow the numbers' order.

    Args:
        fields: Names of the fields; their number is the term's order.
        strength: The factor.
        levels: The groups' levels.
        in_order: Whether the groups are intervals of integers, missing and negative ones first.
    """

    fields: tuple
    strength: float
    levels: tuple
    in_order: bool = False


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of click logs.

    Args:
        layout: Whose file has its columns and lines, "criteo" or "avazu".
        log_rows: Rows of the full log.
        columns: The columns that are drawn, in the file's order.
        intercept: The planted logit is this plus the terms.
        terms: The planted terms, of disjoint fields.
    """

    layout: str
    log_rows: int
    columns: tuple
    intercept: float
    terms: tuple

    def column(self, name: str) -> Column:
        """Returns the column of a name."""
        return next(column for column in self.columns if column.name == name)

    @functools.cached_property
    def num_values(self) -> dict[str, int]:
        """Each column's number of values."""
        return {column.name: column.num_values(self.log_rows) for column in self.columns}

    @functools.cached_property
    def levels(self) -> dict[str, np.ndarray]:
        """The level of each number of the planted fields; special numbers count from the end."""
        return {name: self._levels(name, term) for term in self.terms for name in term.fields}

    def _levels(self, name, term):
        column, num_values = self.column(name), self.num_values[name]
        mass = np.concatenate(
            [
                np.diff(column.mass(np.arange(num_values + 1), num_values))
                * (1 - column.special_share),
                [share for _, share in reversed(column.special)],
            ]
        )
        if term.in_order:
            numbers = np.r_[:num_values, -len(column.special) : 0]
            order = np.argsort(numbers)
            middle = np.cumsum(mass[order]) - mass[order] / 2
            levels = np.zeros(len(mass), np.int64)
            levels[order] = np.array(term.levels)[(middle * len(term.levels)).astype(int)]
            return levels
        # The most frequent value first, each to the group that has least.
        group_mass = np.zeros(len(term.levels))
        levels = np.zeros(len(mass), np.int64)
        for number in np.argsort(-mass, kind="stable"):
            group = group_mass.argmin()
            group_mass[group] += mass[number]
            levels[number] = term.levels[group]
        return levels


def hexadecimal(codes: np.ndarray) -> np.ndarray:
    """Returns 8 hexadecimal digits of each 32-bit code, the highest first."""
    return FOUR_DIGITS_BASE_16[codes.byteswap().view(np.uint16).byteswap()].view("S8")


def decimal(values: np.ndarray) -> np.ndarray:
    """Returns the decimal digits of integers below 10 ** 8, padded with NUL bytes."""
    high, low = np.divmod(values.astype(np.uint32), np.uint32(10_000))
    digits = np.empty((len(values), 2), np.uint32)
    digits[:, 0] = LEADING_DIGITS[high]
    digits[:, 1] = np.where(high > 0, FOUR_DIGITS[low], UP_TO_FOUR_DIGITS[low])
    return digits.view("S8").ravel()


def _packed(texts):
    return np.array(texts, "S4").view(np.uint32)


FOUR_DIGITS_BASE_16 = _packed([f"{i:04x}" for i in range(2**16)])
FOUR_DIGITS = _packed([f"{i:04d}" for i in range(10_000)])
UP_TO_FOUR_DIGITS = _packed([str(i) for i in range(10_000)])
LEADING_DIGITS = _packed(["", *(str(i) for i in range(1, 10_000))])


def _missing(share):
    return (("", share),)


CRITEO = Format(
    layout="criteo",
    log_rows=45_840_617,
    columns=(
        Column("I1", 649, 2.57, 2.6, _missing(0.448), first=0),
        # The only one with negative numbers.
        Column("I2", 9_364, 1.48, 2.3, (("-1", 0.097), ("-2", 6e-4), ("-3", 1e-5)), first=0),
        Column("I3", 14_746, 2.0, 8.0, _missing(0.204), first=0),
        Column("I4", 490, 4.0, 20.0, _missing(0.198), first=0),
        Column("I5", 476_707, 1.55, 720.0, _missing(0.049), first=0),
        Column("I6", 11_618, 2.18, 48.0, _missing(0.251), first=0),
        Column("I7", 4_142, 2.1, 3.6, _missing(0.049), first=0),
        Column("I8", 1_373, 3.0, 15.0, _missing(0.001), first=0),
        Column("I9", 7_275, 2.4, 63.0, _missing(0.049), first=0),
        Column("I10", 13, 4.0, 1.8, _missing(0.448), first=0),
        Column("I11", 169, 3.35, 3.6, _missing(0.049), first=0),
        Column("I12", 407, 2.7, 1.0, _missing(0.774), first=0),
        Column("I13", 1_376, 3.5, 19.0, _missing(0.198), first=0),
        Column("C1", 1_460, 1.98, 0.97),
        Column("C2", 583, 1.86, 6.1),
        Column("C3", 10_131_227, 1.06, 1.2, _missing(0.036)),
        Column("C4", 2_202_608, 1.11, 1.3, _missing(0.036)),
        Column("C5", 305, 2.66, 1.1),
        Column("C6", 24, 1.85, 1.0, _missing(0.133)),
        Column("C7", 12_517, 1.17, 24.0),
        Column("C8", 633, 2.31, 1.0),
        Column("C9", 3, 3.97, 1.0),
        Column("C10", 93_145, 1.05, 0.06),
        Column("C11", 5_683, 1.28, 16.0),
        Column("C12", 8_351_593, 1.09, 1.6, _missing(0.036)),
        Column("C13", 3_194, 1.28, 16.0),
        Column("C14", 27, 1.51, 1.0),
        Column("C15", 14_992, 1.45, 24.0),
        Column("C16", 5_461_306, 1.11, 2.1, _missing(0.036)),
        Column("C17", 10, 1.54, 1.0),
        Column("C18", 5_652, 1.57, 11.0),
        Column("C19", 2_173, 1.18, 0.026, _missing(0.45)),
        Column("C20", 4, 0.18, 1.0, _missing(0.45)),
        Column("C21", 7_046_547, 1.1, 1.9, _missing(0.036)),
        Column("C22", 18, 3.5, 1.5, _missing(0.818)),
        Column("C23", 15, 1.71, 1.0),
        Column("C24", 286_181, 1.23, 2.6, _missing(0.036)),
        Column("C25", 105, 3.0, 2.8, _missing(0.45)),
        Column("C26", 142_572, 1.15, 1.7, _missing(0.45)),
    ),
    intercept=-2.187,
    terms=(
        Term(("C18",), 0.304, (-3, -1, 1, 3)),
        Term(("C2", "C6"), 1.725, (0, 1)),
        Term(("C14", "C17", "C23"), 1.945, (0, 1, 1)),
    ),
)

# The same columns, of which numbers alone make users click, and no higher or lower ones as such.
CRITEO_NUMBERS = dataclasses.replace(
    CRITEO,
    intercept=-1.2,
    terms=(
        Term(("I5",), 0.35, (3, -3, -1, 1, -3, 3), in_order=True),
        Term(("I13",), 0.35, (-3, 3, -1, 1, 3, -3), in_order=True),
        Term(("I6", "I9"), 0.8, (-1, 1, -1, 1), in_order=True),
    ),
)

# Rows of a site name one and the same "no app", and the other way round; most devices have no id.
AVAZU = Format(
    layout="avazu",
    log_rows=40_428_967,
    columns=(
        Column("C1", 7, 3.5, 0.5, first=1001),
        Column("banner_pos", 7, 3.5, 0.9, first=0),
        Column("site_id", 4_737, 1.71, 1.1),
        Column("site_domain", 7_745, 1.81, 1.4),
        Column("site_category", 26, 1.57, 1.0),
        Column("app_id", 8_552, 1.69, 5.6, ((None, 0.782),)),
        Column("app_domain", 559, 2.2, 1.2, ((None, 0.831),)),
        Column("app_category", 36, 3.5, 1.5, ((None, 0.789),)),
        Column("device_id", 2_686_408, 0.98, 2.3, ((None, 0.872),)),
        Column("device_ip", 6_729_486, 0.99, 6.8),
        Column("device_model", 8_251, 1.51, 6.5),
        Column("device_type", 5, 3.5, 0.5, first=0),
        Column("device_conn_type", 4, 3.5, 0.8, first=0),
        Column("C14", 2_626, 3.21, 29.0, first=375),
        Column("C15", 8, 3.5, 0.5, first=320),
        Column("C16", 9, 3.5, 0.5, first=50),
        Column("C17", 435, 2.54, 2.6, first=112),
        Column("C18", 4, 1.35, 1.0, first=0),
        Column("C19", 68, 3.5, 2.5, first=33),
        Column("C20", 172, 2.11, 2.5, (("-1", 0.623),), first=100_000),
        Column("C21", 60, 3.0, 3.2, first=1),
    ),
    intercept=-2.625,
    terms=(
        Term(("device_model",), 0.270, (-3, -1, 1, 3)),
        Term(("C14", "C17"), 1.485, (0, 1)),
        Term(("site_category", "C18", "C21"), 1.738, (0, 1, 1)),
    ),
)

FORMATS = {"criteo": CRITEO, "avazu": AVAZU, "criteo_numbers": CRITEO_NUMBERS}
