"""What modules have copies of: checks of arguments, drivers of loops, functions that JAX lacks."""
