"""Functions, and the file of them, in C; the target as a record."""
