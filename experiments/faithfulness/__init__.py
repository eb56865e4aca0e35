"""Whether InterHAt's explanations are true: planted fields found, deletion and insertion, seeds.

planted.py   are the fields of a planted rule found?
curves.py    deletion and insertion curves, and agreement between seeds, on real data
page.py      one page of both
methods.py   the explanations that are compared
"""
