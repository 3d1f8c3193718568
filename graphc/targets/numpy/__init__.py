"""The NumPy target: one Python module that imports only NumPy.

`printing` turns programs into statements, `functions` writes those that a module offers around
them, `runtime` is what modules have in common, copied as it stands. What is printed is parsed
again and verified.
"""
