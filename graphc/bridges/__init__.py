"""What the bridges to other libraries share: a generated module as it describes itself, in GRAPH.

The bridges are `graphc.scipy`, `graphc.jax`, `graphc.torch`, `graphc.sklearn`: a file each, which
imports the library that it is called after.
"""
