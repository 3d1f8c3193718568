"""The families of operations: one statement declares shapes, rules, structure and a function."""
