"""Whether explanations are true.

planted.py         are the fields, pairs, triples and orders of a planted rule named?
curves.py          deletion and insertion, exact effects, signs and seeds, on real data
coalitions.py      are named pairs right, against all coalitions, on real data?
knockoffs.py       how many of the pairs that are named are false?
agreement.py       do InterHAt's own explanations rank fields as their effects do?
additivity.py      do contributions add up to the logit, and what does explaining cost?
crosses.py         are the pairs that a model names worth a cross?
methods.py         the explanations of fields that are compared
field_measures.py  what is asked of them
group_measures.py  explanations of pairs, triples and orders, and what is asked of those
models.py          the models that are explained, and the records they are compared with
tree_models.py     LightGBM and EBMs, as the suite takes a model

`make page` builds one page of all (`experiments/report/faithfulness_page.py`).
"""
