"""From characters to the tokens that the parser sees, and to the values of literals."""
