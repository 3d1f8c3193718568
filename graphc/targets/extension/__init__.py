"""A Python module over compiled C: its text, which is that of the NumPy module but for what computes,
and the extension that it calls.
"""
