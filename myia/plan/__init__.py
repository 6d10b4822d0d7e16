"""Which stretches of straight-line code to run again in the reverse sweep, so that a gradient keeps a budget.

`measure.py` runs the function once, statement by statement, and notes bytes and seconds. `model.py` says from
those what a gradient would hold at each of its positions if some stretches were checkpoints. `solve.py` finds
the stretches that cost the least time, by an integer programme or by a greedy search. `blocks.py` makes the
stretches blocks of the program, as if the user had written `with myia.checkpoint():` around them.
"""
