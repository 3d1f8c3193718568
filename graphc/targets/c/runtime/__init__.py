"""Functions that texts in C need, as C; of them only what a text calls is written.

In them `real` stands for the type of a float, `R(0.5)` for a number of that type, `M(exp)` for a
function of libm on it. Blocks are parted by empty lines: a comment, and one function.
"""
