"""Draws README's picture of one explained record.

    python docs/pictures/explained_record.py

Makes a click log in which people click on games on Sundays and little else, trains a
model on it as README does, and explains the test record that it is surest of, which is
`explained_record.png` beside this file. Takes a minute or two.
"""

import pathlib
import tempfile

import keras
import numpy as np

from interhat_tf import InterHAt, explain_records, prepare_click_log, train

OUTPUT = pathlib.Path(__file__).with_suffix(".png")
DPI = 160
ROWS = 40_000
VALUES = {
    "user": [f"u{number}" for number in range(200)],
    "app": ["games", "maps", "mail", "music", "news", "chess"],
    "weekday": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"],
    "device": ["phone", "tablet", "laptop"],
}


def main():
    keras.utils.set_random_seed(1)
    with tempfile.TemporaryDirectory() as folder:
        write_log(pathlib.Path(folder) / "clicks.csv")
        data = prepare_click_log(f"{folder}/clicks.csv", name="clicks", data_dir=folder)
        model = InterHAt.from_preset("tuned", data.schema, rows=data.num_rows("train"))
        report = train(model, data, f"{folder}/run")
        records, _ = next(iter(data.evaluation_batches("test", 4000)))
        background, _ = next(iter(data.evaluation_batches("train", 32)))
        explanation = explain_records(
            model, records, values=data.decode(records), background=background
        )
    surest = explanation[[int(explanation.probabilities.argmax())]]
    surest.plot().savefig(OUTPUT, dpi=DPI, facecolor="white")
    print(f"{OUTPUT}: test AUC {report['test']['auc']:.3f}; {surest.sentences()[0]}")


def write_log(path):
    """Writes a log in which games on Sundays are clicked nine times in ten, others once in ten."""
    random = np.random.default_rng(0)
    columns = {name: random.choice(values, ROWS) for name, values in VALUES.items()}
    often = (columns["app"] == "games") & (columns["weekday"] == "Sun")
    clicks = random.random(ROWS) < np.where(often, 0.9, 0.1)
    rows = zip(clicks.astype(int), *columns.values(), strict=True)
    lines = [",".join(["click", *columns]), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
