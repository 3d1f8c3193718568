"""A layered layout (Sugiyama, Tagawa and Toda 1981): each group by itself, then as one box.

Boxes stand in layers, edges lead from layer to layer; what an edge passes is kept free for it, and
so is its label. So nothing overlaps, whatever the graph.
"""
