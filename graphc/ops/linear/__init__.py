"""Products of arrays, diagonals, factors, solutions of linear systems."""
