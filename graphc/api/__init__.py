"""What `graphc` offers to Python: the commands as functions, with the same options.

Their results are frozen records that print and show themselves in a notebook. What needs the
compiler imports it inside a function: `import graphc` and a graph found in the cache do not.
"""
