"""What everything is made of: dims, types, nodes, graphs and loops.

A dim is a polynomial with facts, a node an interned application of an operation, a graph results
by name, a loop a graph inside a node. Nothing here knows which operations there are, nor of
derivatives: other rooms walk, rebuild and map what is declared here.
"""
