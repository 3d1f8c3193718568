"""What an editor asks of a file: pure functions from an analysis and a place to records."""
