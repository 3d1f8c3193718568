"""What is known when compiling, and the conditions that are checked when a function is entered."""
