"""Programs of `torch.export`: their nodes in order, operator by operator.

`program.py` takes a program, `reading.py` walks over its graph, the other files say what each
operator of ATen is in the language, in a table by name.
"""
