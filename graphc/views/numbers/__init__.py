"""The numbers of a graph at a point: its values, the derivatives by them, where these go wrong.

A module at the readable level is made that looks at every value; `probe` makes it and says what it
looks at, `looking` runs it, `flow` finds where gradients vanish or explode, `telling` writes it.
"""
