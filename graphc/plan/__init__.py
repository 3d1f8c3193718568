"""Graph to Program: the order of statements, variables, lifetimes, and what a module holds.

A Program is statements and what becomes of their values; each step is a function from Program to
Program. `tiles` decides what runs part by part of a long axis, `buffers` which array each
statement computes into.
"""
