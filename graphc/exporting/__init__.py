"""Graphs in the formats of others: a folder for each, with a table from operations to theirs."""
