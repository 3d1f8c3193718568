"""The phases in their order: text to the text of a module.

What `derive` asks for becomes graphs in each mode, the graphs programs within a bound, and those a
module. Options are data, and decide here alone.
"""
