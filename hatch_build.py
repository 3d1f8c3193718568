"""The description for package indexes: the README without the links that lead nowhere there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:)[^)\s]*\)")
PICTURES = re.compile(r"^and, drawn .*?\n\n.*?\n\n", re.M | re.S)


def described(text: str) -> str:
    """Return a text without relative links: their words stay, the table of pictures goes."""
    return LINK.sub(lambda found: "" if found[1] else found[2], PICTURES.sub("", text))


class Description(MetadataHookInterface):
    """Gives the README to the package."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": described(text)}
