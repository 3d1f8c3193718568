"""Programs to Python statements, with the comments beside them."""
