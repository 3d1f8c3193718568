"""Elements chosen, sorted and added up by index."""
