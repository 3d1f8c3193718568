"""Models of others as graphs: one file for each kind of source, and what they share.

An importer walks over a source and puts one value after the other on a Sheet, which types each as
the language does and keeps the place in the source. `written.py` turns a sheet into a syntax tree
under the source's own names, which the formatter prints. No importer writes text.
"""
