"""Arrays with small axes as vectors along their long one, or as numbers."""
