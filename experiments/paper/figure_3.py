"""Figure 3: InterHAt with 1 to 12 heads of self-attention.

    python -m experiments.paper.figure_3 --dataset=frappe/nfm --raw_dir=FOLDER

Trains `released`, with Table 2's settings otherwise, with each number of heads
and five seeds, and writes `figure_3/NAME/summary.json`, from which `make page`
draws the figure. The width of a head stays the same, as in the released code,
so that more heads are more parameters. Runs that are done are not run again, and
`--heads=9` adds a number of heads to those of the summary.
"""

from absl import flags

from experiments.common.running import run_program
from experiments.paper.sensitivity import vary

HEADS = flags.DEFINE_multi_integer("heads", list(range(1, 13)), "numbers of heads")


def main(_):
    vary("figure_3", "num_heads", HEADS.value)


if __name__ == "__main__":
    run_program(main, required=["dataset"])
