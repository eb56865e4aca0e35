"""Figure 4: InterHAt with a highest order of interaction k of 1 to 4.

    python -m experiments.paper.figure_4 --dataset=frappe/nfm --raw_dir=FOLDER

Trains `released`, with Table 2's settings otherwise, with each order and five
seeds, and writes `figure_4/NAME/summary.json`, from which `make page` draws the
figure. Runs that are done are not run again.
"""

from absl import flags

from experiments.common.running import run_program
from experiments.paper.sensitivity import vary

ORDERS = flags.DEFINE_multi_integer("orders", [1, 2, 3, 4], "highest orders k")


def main(_):
    vary("figure_4", "order", ORDERS.value)


if __name__ == "__main__":
    run_program(main, required=["dataset"])
