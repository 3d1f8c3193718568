"""Graphs over the rows of an axis: what a chunk of rows computes alone, and how that is merged.

`layouts` proves for each node how it lies over the axis. `pieces` makes of a function three: what a
chunk contributes, two contributions merged, and the results of what all have contributed.
"""
