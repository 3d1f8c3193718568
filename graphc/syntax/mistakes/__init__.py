"""From the place where the parser stopped to a diagnostic in the words of the user."""
