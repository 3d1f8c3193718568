"""Program to text: what a target is, and a folder for each."""
