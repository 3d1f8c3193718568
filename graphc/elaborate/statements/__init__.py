"""Statements: declarations, equations, chains, loops and `derive` clauses."""
