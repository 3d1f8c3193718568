"""Plain functions that are copied into the modules that need them."""
