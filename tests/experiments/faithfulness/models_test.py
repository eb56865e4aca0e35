"""Tests of the records that explanations are held against."""

import numpy as np
from absl.testing import flagsaver

from experiments.faithfulness import models


def test_backgrounds_have_no_record_in_common(study_flags, monkeypatch):
    def first_records(data, split, rows):
        assert split == "train"
        return {"categorical": np.arange(rows)}

    monkeypatch.setattr(models, "first_records", first_records)
    with flagsaver.flagsaver(background=3):
        found = models.backgrounds_of(None)
    assert found.own["categorical"].tolist() == [0, 1, 2]
    assert found.other["categorical"].tolist() == [3, 4, 5]
    assert found.exact["categorical"].tolist() == list(range(6, 6 + models.EXACT))


def test_halves_are_every_second_record_and_the_others():
    first, second = models.halves_of({"categorical": np.arange(5)})
    assert first["categorical"].tolist() == [0, 2, 4] and second["categorical"].tolist() == [1, 3]
