"""Program to text, a folder for each target."""
