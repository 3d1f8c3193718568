"""The modules that nodes of ONNX come from, and the names that exporters make up."""

from __future__ import annotations

import ast
import re
from typing import Any

from graphc.importing.items import ModuleCall

AUTOMATIC = re.compile(r"\d+|.*_output_\d+|val_\d+|.*/.*|_.*|onnx::.*|t\d+")
"""Names that exporters make up, which say nothing."""


def is_made_up(name: str, proto: Any) -> bool:
    """True if a value has its name from an exporter, which counts operators."""
    beside = {one.key: one.value for one in proto.metadata_props}
    last = _listed(beside.get("pkg.torch.onnx.name_scopes", ""))[-1:]
    plain = re.sub(r"_\d+$", "", name)
    made_up = bool(AUTOMATIC.fullmatch(name)) or plain == proto.op_type.lower()
    return made_up or name in last or (bool(last) and plain == "getitem")


def parts_of(proto: Any) -> list[ModuleCall]:
    """Return the modules that a node stands in, from the outside, as exporters of PyTorch say it.

    They say it beside the node, or in its name: `/layers.0/norm/Sub`.
    """
    beside = {one.key: one.value for one in proto.metadata_props}
    paths = _listed(beside.get("pkg.torch.onnx.name_scopes", ""))
    if paths:
        kinds = _listed(beside.get("pkg.torch.onnx.class_hierarchy", "")) or paths
        named = zip(paths[:-1], kinds[:-1], strict=False)
        return [ModuleCall(path.partition("@")[0], kind, path) for path, kind in named if path]
    words = proto.name.split("/")[1:-1] if proto.name.startswith("/") else []
    found, outer, before = list[ModuleCall](), "", ""
    for word, following in zip(words, [*words[1:], ""], strict=False):
        if not (before and word.startswith(f"{before}.")):  # what a list holds is called after it
            outer = found[-1].path if found else ""
        path, before = f"{outer}.{word}".lstrip("."), word
        holds = following.startswith(f"{word}.")
        found.append(ModuleCall(path, "Sequential" if holds else _kind(word), path))
    return found


def _kind(word: str) -> str:
    """Return what the modules are called that are numbered, and else differ in their names."""
    plain = re.sub(r"[\d.]+$", "", word)
    return f"{plain}_layer" if plain == word else plain.removesuffix("s")


def _listed(text: str) -> list[str]:
    """Return the texts of a printed list."""
    try:
        found = ast.literal_eval(text) if text else []
    except (SyntaxError, ValueError):
        return []
    return [str(one) for one in found] if isinstance(found, list) else []
