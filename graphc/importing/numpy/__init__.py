"""NumPy functions: run once with arrays that write down what is done with them.

`function.py` runs the function, `places.py` knows where in its source it is and what it calls its
values, `arrays.py` are the arrays, `table.py` says what each function of NumPy is in the language.
"""
