"""C compiled: which compiler there is, how it is called, and what it has made, kept by content."""
