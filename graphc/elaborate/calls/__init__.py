"""Calls of operations, blocks and instances: arguments bound to what they are for."""
