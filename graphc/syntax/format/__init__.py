"""The canonical form of a text: the same tokens and comments, settled white space."""
