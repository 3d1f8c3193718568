"""Generated modules against other libraries: `python -m benchmarks [NAME …]`."""
