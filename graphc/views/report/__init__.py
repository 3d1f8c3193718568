"""A page on a graph: its source, derivation, code, schedule, cost and numbers, linked by its names.

`links` says which line, statement and formula is of which named value; each panel is a file, and
`page` puts them together with the style and the script beside it. What an element is of stands in
`data-node` for values and `data-derivative` for derivatives by them, as names with blanks between.
"""
