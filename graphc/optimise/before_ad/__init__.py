"""What is rewritten before derivatives are made, so that these come out cheaper and stable, too."""
