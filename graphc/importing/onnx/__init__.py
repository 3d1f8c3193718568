"""ONNX models: their nodes in order, operator by operator.

`model.py` takes a model, `reading.py` walks over its graphs, the other files say what each operator
is in the language, in tables by name. An operator that is in no table and that the standard
defines by others is read as these.
"""
