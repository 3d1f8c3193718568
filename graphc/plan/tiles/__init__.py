"""Tiling: what runs together, part by part of a long axis, so that it stays in the cache."""
