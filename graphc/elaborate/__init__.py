"""Tree to Model: names, blocks, dims, types, loops, derivations.

Statements run in the order that their names need; each use of a block is elaborated anew. A
mistake poisons the names of its statement and the rest goes on, so that all are told at once.
"""
