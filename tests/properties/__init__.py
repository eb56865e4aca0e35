"""What holds of any input: hypothesis makes it up, and holds the code against something simpler.

`make test` tries a few inputs, always the same ones; `pytest tests/properties
--hypothesis-profile=thorough` tries many, others each time.
"""

from hypothesis import Phase, settings


def some(share: float) -> settings:
    """Returns the settings of a test whose examples take long.

    They are a share of a profile's number, and none is made smaller once it has failed.
    """
    number = max(2, round(share * settings().max_examples))
    return settings(max_examples=number, phases=[Phase.explicit, Phase.generate])
