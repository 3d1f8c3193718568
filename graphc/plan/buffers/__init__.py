"""Buffer assignment: which array each statement computes into, and what is alive when."""
