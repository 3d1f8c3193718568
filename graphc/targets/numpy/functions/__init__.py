"""The functions of a module: forward, backward, what is derived, parameters, checks."""
