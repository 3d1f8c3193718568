"""Kernels, statements and loops in the words of `jax.numpy` and `jax.lax`."""
