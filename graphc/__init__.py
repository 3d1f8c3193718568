"""graphc: declarative computation graphs, compiled to plain NumPy with their derivatives."""

__version__ = "0.1.0"
