"""Loop fusion and loop distribution: which operations have to wait for the step before."""
