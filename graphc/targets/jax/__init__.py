"""The JAX target: from the statements of programs to a module of pure functions."""
