"""Between plan and text: loops over axes, scalars in registers, array elements in memory.

`works` makes of each statement of a Program what it computes at one place of its axes, `fuse` puts
those of the same axes into the same loops, `storage` decides what needs memory. Targets of a
language with loops print the result.
"""
