"""Loop nests in C: dims, expressions, statements, and the comments beside them."""
