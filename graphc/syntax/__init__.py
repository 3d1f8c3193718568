"""Text to tree, tree to text.

The tree is frozen records, each with the span of its text. Below it the lexer's tokens, beside it
what is said of a text that is none, above it the parser and the canonical form.
"""
