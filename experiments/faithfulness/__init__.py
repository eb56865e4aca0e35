"""Whether InterHAt's explanations are true: planted fields found, deletion and insertion, seeds.

planted.py      are the fields of a planted rule found?
curves.py       deletion and insertion curves, and agreement between seeds, on real data
additivity.py   do contributions add up to the logit, and what does explaining cost?
methods.py      the explanations that are compared
models.py       the models that are explained, and the records they are compared with

`make page` builds one page of all three (`experiments/report/faithfulness_page.py`).
"""
