"""Graph to equal graph: the passes of each level, and the rules that they apply.

A rule sees a node and gives an equal one or None; a pass is a function from graph to graph. Of the
rooms, `exact` changes no bit, `algebra` rounds otherwise, `loops` and `scalarise` change what runs
in which loop, `memory` takes time for space, and `before_ad` runs before derivatives are made.
"""
