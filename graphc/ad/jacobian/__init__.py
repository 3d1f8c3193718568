"""Jacobians and Hessians, dense and sparse: which seeds, which mode, which blocks."""
