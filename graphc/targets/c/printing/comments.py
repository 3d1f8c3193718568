"""Text of the file inside comments of C: on one line, and never the end of a comment."""

from __future__ import annotations


def comment_text(text: str) -> str:
    """Return text as it may stand in a comment, on one line.

    >>> comment_text("h = x*/y")
    'h = x* /y'
    """
    plain = " ".join(text.split()).replace("??", "? ?")
    while "*/" in plain or "/*" in plain:
        plain = plain.replace("*/", "* /").replace("/*", "/ *")
    return plain.rstrip("\\")


def comment(text: str) -> str:
    """Write a comment, or nothing."""
    plain = comment_text(text)
    return f"/* {plain} */" if plain else ""
