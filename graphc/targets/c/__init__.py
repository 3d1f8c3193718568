"""The C target: one C99 file and its header, which need a compiler and libm.

`contract` says as data how its functions are called, which docs/c.md tells; `functions` writes
them, `printing` loop nests, `runtime` has what they call.
"""
