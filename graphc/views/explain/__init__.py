"""The derivation of a graph: its Jacobians, each term of the chain rule, and why it is so."""
