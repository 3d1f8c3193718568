"""Expressions and subscripts: syntax and scope to a value."""
