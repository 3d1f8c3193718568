"""Functions of Python as sources: places and names in them, arguments and results."""
