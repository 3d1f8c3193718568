"""The command `graphc`: a file for each command."""
