"""Made-up click records whose labels follow a planted rule (Section 4.2.2)."""

import dataclasses

import numpy as np
import pyarrow as pa
import tensorflow_datasets as tfds

from interhat_tf.preprocessing.builder import ClickLogBuilder
from interhat_tf.preprocessing.fields import Categorical
from interhat_tf.preprocessing.rows import Rows

CHUNK_ROWS = 1 << 16


@dataclasses.dataclass(frozen=True)
class Records:
    """Consecutive records.

    Args:
        start: Number of the first record, from 0.
        rows: Number of the records.
    """

    start: int
    rows: int


@dataclasses.dataclass(kw_only=True)
class RuleConfig(tfds.core.BuilderConfig):
    """A rule and how many records follow it.

    Field f_i takes one of the values b_1 … b_values, uniformly and independently of the others.
    A record matches the rule if every field of the group has its own value,
    f_i = b_i (counted on from b_1 again where i exceeds the number of values):

        Pr(y = 1) = p1 if the record matches, else p2  (Equation 7)

    With several groups the log-odds start at those of p2, and each group that matches adds
    the distance to those of p1.

    Args:
        group: Numbers of the fields of the group G, counted from 1.
        more_groups: Further groups. Defaults to none.
        parity: Whether a group matches if the numbers of its values sum to an odd number.
        copied: Probability that a field has the number of the field before it, else a uniform
            one. Defaults to 0: fields are independent.
        p1: Probability of a click where the rule matches.
        p2: Probability of a click elsewhere.
        records: Number of records; 8 of 10 are for training, 1 for validation.
        num_fields: Number of fields.
        num_values: Number of values of each field.
        seed: Seed of the records and their labels.
    """

    group: tuple[int, ...]
    more_groups: tuple[tuple[int, ...], ...] = ()
    parity: bool = False
    copied: float = 0.0
    p1: float = 0.9
    p2: float = 0.2
    records: int = 100_000
    num_fields: int = 10
    num_values: int = 10
    seed: int = 0


class Builder(ClickLogBuilder):
    """Builds the records of a rule."""

    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES = {  # noqa: RUF012
        "2.0.0": "Other records of the same rules: each chunk of the log is drawn independently.",
        "1.0.0": "The three rules of Table 4, and a dense third.",
    }
    BUILDER_CONFIGS = [  # noqa: RUF012
        RuleConfig(name="rule_1", description="First order: f1.", group=(1,)),
        RuleConfig(name="rule_2", description="Second order: f3, f4.", group=(3, 4)),
        RuleConfig(
            name="rule_2_dense",
            description="Second order with 3 values a field, so that 1 record in 9 matches.",
            group=(3, 4),
            num_values=3,
        ),
        RuleConfig(name="rule_3", description="Third order: f5, f6, f7.", group=(5, 6, 7)),
        RuleConfig(
            name="rule_3_dense",
            description="Third order with 3 values a field, so that 1 record in 27 matches.",
            group=(5, 6, 7),
            num_values=3,
        ),
        RuleConfig(
            name="rule_2_middle",
            description="Second order with 5 values a field, so that 1 record in 25 matches.",
            group=(3, 4),
            num_values=5,
        ),
        RuleConfig(
            name="rule_2_correlated",
            description="Second order, dense; half of the values are those of the field before.",
            group=(3, 4),
            num_values=3,
            copied=0.5,
        ),
        RuleConfig(
            name="parity",
            description="Two values a field; f3 and f4 decide by being different, neither alone.",
            group=(3, 4),
            num_values=2,
            parity=True,
        ),
        RuleConfig(
            name="mixture",
            description="First and second order: f1, and f3 with f4, 3 values a field.",
            group=(3, 4),
            more_groups=((1,),),
            num_values=3,
        ),
        *(
            RuleConfig(
                name=f"{name}_knockoffs",
                description=f"{name} with 10 more fields, which are knockoffs of its own.",
                group=group,
                num_fields=20,
                num_values=num_values,
            )
            for name, group, num_values in (
                ("rule_1", (1,), 10),
                ("rule_2", (3, 4), 10),
                ("rule_2_dense", (3, 4), 3),
                ("rule_3_dense", (5, 6, 7), 3),
            )
        ),
        RuleConfig(
            name="wide",
            description="36 fields of 1,000 values, for timing the input pipeline.",
            group=(1,),
            records=2_000_000,
            num_fields=36,
            num_values=1000,
        ),
    ]

    @property
    def fields(self) -> list[Categorical]:
        """The fields f1, f2, …."""
        return [Categorical(f"f{i + 1}") for i in range(self.builder_config.num_fields)]

    def _chunks(self, dl_manager):
        records = self.builder_config.records
        return [
            Records(start, min(CHUNK_ROWS, records - start))
            for start in range(0, records, CHUNK_ROWS)
        ]

    def _read_chunk(self, chunk: Records) -> Rows:
        config = self.builder_config
        # A chunk's numbers follow from its position alone, whoever draws them.
        random = np.random.Generator(np.random.PCG64((config.seed, chunk.start)))
        names = pa.array([f"b{i + 1}" for i in range(config.num_values)])
        values = random.integers(config.num_values, size=(chunk.rows, config.num_fields))
        if config.copied:
            copies = random.random(values.shape) < config.copied
            for field in range(1, config.num_fields):
                values[copies[:, field], field] = values[copies[:, field], field - 1]
        labels = random.random(chunk.rows) < _probabilities(config, values)
        rank = np.arange(chunk.start, chunk.start + chunk.rows) / config.records
        return Rows(
            pa.table({f.name: names.take(v) for f, v in zip(self.fields, values.T, strict=True)}),
            labels.astype(np.uint8),
            # Records are independent, so the first ones are as good as any for training.
            np.searchsorted([0.8, 0.9], rank, side="right").astype(np.int8),
            source=self.info.full_name,
            first_line=chunk.start + 1,
            first_row=chunk.start,
        )


def _probabilities(config: RuleConfig, values: np.ndarray) -> np.ndarray:
    """Returns each record's probability of a click, (rows,), from its values' numbers less 1."""
    matching = np.zeros(len(values), int)  # groups that match
    for numbers in (config.group, *config.more_groups):
        group = np.array(numbers) - 1
        if config.parity:
            matching += (values[:, group] + 1).sum(axis=1) % 2
        else:
            matching += (values[:, group] == group % config.num_values).all(axis=1)
    if not config.more_groups:
        return np.where(matching, config.p1, config.p2)
    p1, p2 = (np.log(p / (1 - p)) for p in (config.p1, config.p2))
    return 1 / (1 + np.exp(-(p2 + matching * (p1 - p2))))
