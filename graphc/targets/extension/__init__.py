"""A Python module over compiled C: its text is that of the NumPy module but for what computes.

The extension that it calls, as text in C.
"""
