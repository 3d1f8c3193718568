"""Automatic differentiation: graphs to graphs of their derivatives.

Reverse and forward mode, each through operations, loops and rules; products with Jacobians and
Hessians; leading axes for many seeds at once, and the structure that saves most of them. A
derivative is nodes like any other, so all that holds of graphs holds of it.
"""
