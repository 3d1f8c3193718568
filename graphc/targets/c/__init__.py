"""The C target: one C99 file and its header, which need a compiler and libm.

`target` is what it is, `contract` how its functions are called, as data. What they are called with
stands in docs/c.md.
"""
