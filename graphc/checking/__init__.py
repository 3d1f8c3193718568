"""Derivatives against numerical ones, at points of the domain."""
