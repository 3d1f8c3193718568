"""What is allowed and was probably not meant."""
