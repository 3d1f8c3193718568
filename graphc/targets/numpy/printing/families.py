"""Parameters as entries of dicts and tuples: a family of them as a comprehension over its index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from graphc.elaborate.names.model import Declared
from graphc.paths import group_by_index, member

INDEX = "_k"
OTHER_INDEX = "_j"
"""The indices of families in the generated comprehensions; no dim or variable is called so."""

Render = Callable[[Declared, str], str]


def path(declared: Declared, index: str = INDEX) -> str:
    """Write the path of a parameter as a Python expression: of a family, at the index."""
    if declared.family is None:
        return repr(declared.name)
    return "f" + repr(member(declared.name, f"{{{index}}}"))


def over(declared: Declared, index: str = INDEX) -> str:
    """Write the clause that runs over a family: `for _k in range(1, 5)`."""
    assert declared.family is not None
    return f"for {index} in {declared.family}"


def dict_rows(params: Sequence[Declared], value: Render, index: str = INDEX) -> list[str]:
    """List the lines between the braces of a dict by path, in the order of PARAMETERS."""
    lines: list[str] = []
    for group in _groups(params):
        if group[0].family is None:
            name = path(group[0])
            lines.append(f"    {name}: {value(group[0], name)},")
            continue
        lines += [
            "    **{",
            f"        _path: _value {over(group[0], index)} for _path, _value in (",
        ]
        names = {one.name: path(one, index) for one in group}
        lines += [
            f"            ({names[one.name]}, {value(one, names[one.name])})," for one in group
        ]
        lines += ["        )", "    },"]
    return lines


def zip_rows(
    chosen: Sequence[Declared], params: Sequence[Declared], value: Callable[[Declared], str]
) -> list[str]:
    """List the same lines where `value` of a family is the array of all its members: quicker.

    Its members are paired with their paths as PARAMETERS has them, which stands for `params`.
    """
    lines: list[str] = []
    together = _together(params)
    for group in _groups(chosen):
        where = together.get(tuple(one.name for one in group), "")
        if group[0].family is None or not where:
            lines += dict_rows(group, lambda one, _: value(one) + at(one))
            continue
        values = ", ".join(map(value, group))
        members = values
        if len(group) > 1:
            members = f"_alternate({values})"
        lines.append(f"    **dict(zip(PARAMETERS[{where}], {members})),")
    return lines


def at(declared: Declared) -> str:
    """Write the subscript of a member in the array of all; nothing where there is no family."""
    return "" if declared.family is None else f"[{position(declared)}]"


def position(declared: Declared, index: str = INDEX) -> str:
    """Write where a member of a family stands in the array of all."""
    assert declared.family is not None
    first = declared.family.start
    return index if first == 0 else f"{index} - {first}"


def _together(params: Sequence[Declared]) -> dict[tuple[str, ...], str]:
    """Return where the paths of each group stand in such a tuple, by the names of the group."""
    found: dict[tuple[str, ...], str] = {}
    start = 0
    for group in _groups(params):
        stop = start + count(group)
        found[tuple(one.name for one in group)] = f"{start}:{stop}"
        start = stop
    return found


def tuple_rows(params: Sequence[Declared]) -> list[str]:
    """List the lines between the brackets of a tuple of paths."""
    lines: list[str] = []
    for group in _groups(params):
        if group[0].family is None:
            lines.append(f"    {path(group[0])},")
        else:
            paths = ", ".join(map(path, group)) + ("," if len(group) == 1 else "")
            lines.append(f"    *(_path {over(group[0])} for _path in ({paths})),")
    return lines


def count(params: Iterable[Declared]) -> int:
    """Count the paths, with each member of a family."""
    return sum(1 if d.family is None else len(d.family) for d in params)


def slices(params: Sequence[Declared]) -> dict[str, str]:
    """Return where the paths of each family stand in such a tuple: `0:400:2`."""
    found: dict[str, str] = {}
    start = 0
    for group in _groups(params):
        if group[0].family is None:
            start += 1
            continue
        stop, step = start + len(group) * len(group[0].family), len(group)
        by = f":{step}" if step > 1 else ""
        found |= {one.name: f"{start + place}:{stop}{by}" for place, one in enumerate(group)}
        start = stop
    return found


def _groups(params: Sequence[Declared]) -> list[list[Declared]]:
    """Single parameters, and families that stand together over the same index."""
    by_name = {one.name: one for one in params}
    return [[by_name[name] for name in group] for group in group_by_index(tuple(by_name))]


def show_path(declared: Declared) -> str:
    """Write the path as documents show it: `layer.1..4.W`."""
    if declared.family is None:
        return declared.name
    return member(declared.name, f"{declared.family[0]}..{declared.family[-1]}")
