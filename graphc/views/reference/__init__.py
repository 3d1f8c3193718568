"""The reference of operations, made from their table."""
