"""Functions of JAX: their jaxprs, primitive by primitive.

`function.py` traces a function, `reading.py` walks over its jaxpr, the other files say what each
primitive is in the language, in tables by name.
"""
