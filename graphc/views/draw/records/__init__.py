"""What pictures and layouts are, and how large text is: records that all else is in terms of."""
