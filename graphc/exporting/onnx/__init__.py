"""Graphs as ONNX models that any runtime has: values and derived functions, dims symbolic.

`model.py` takes a graph or a derived function, `writing.py` holds the nodes that are written and
knows sizes; the other files say what each kernel is in ONNX, in tables by its name.
"""
