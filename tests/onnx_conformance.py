"""The node cases that ONNX ships: which of them the language can say, and what becomes of each.

`python -m tests.onnx_conformance` runs all and writes the table of docs/onnx.md.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
from onnx.backend.test.case import node

import graphc
from graphc.importing.naming import name_for
from graphc.importing.onnx.model import import_onnx

TABLE = Path(__file__).resolve().parent.parent / "docs" / "onnx.md"
MARK = "<!-- the table below is written by `python -m tests.onnx_conformance` -->\n"


@dataclass(frozen=True)
class Outcome:
    """What became of a case: right, refused, no tensors, or what is wrong with it.

    `derivative` is the same of its derivative, and empty where there is none to be compared.
    """

    value: str
    why: str = ""
    derivative: str = ""


@cache
def cases() -> dict[str, Any]:
    """All cases by name, whose data are drawn when they are collected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {case.name: case for case in node.collect_testcases(None)}


@cache
def cases_of(*modules: str) -> dict[str, Any]:
    """The cases of some modules alone, which is less to draw."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in modules:
            import_module(f"{node.__name__}.{module}")
    return {case.name: case for case in node._NodeTestCases}


def operator_of(case: Any) -> str:
    """The operator that a case is of: the rarest of its nodes; of an expansion what it expands."""
    plain = cases().get(case.name.partition("_expanded")[0])
    nodes = (plain or case).model.graph.node
    return str(nodes[0].op_type if len(nodes) == 1 else max(nodes, key=_rarity).op_type)


def _rarity(one: Any) -> int:
    common = {"Constant", "Identity", "Cast", "Shape", "Reshape", "Add", "Mul", "Sub"}
    return int(one.op_type not in common)


def outcome(case: Any) -> Outcome:
    """Import a case, run it, and compare it and its derivative with what ONNX says."""
    inputs, wanted = case.data_sets[0]
    graph = case.model.graph
    initial = {one.name for one in graph.initializer}
    names = [one.name for one in graph.input if one.name not in initial]
    if not all(isinstance(one, np.ndarray | np.generic) for one in (*inputs, *wanted)):
        return Outcome("no tensors")
    if any(one.dtype == object for one in (*inputs, *wanted)):
        return Outcome("no tensors")
    given = {name: plain(np.asarray(one)) for name, one in zip(names, inputs, strict=False)}
    try:
        imported = import_onnx(case.model, given, "model")
    except graphc.GraphError as wrong:
        return Outcome("refused", wrong.diagnostics[0].message)
    net = graphc.compile_text(imported.text, "model", level=0).module()
    values = {name_for(name): one for name, one in given.items()}
    held = {
        name: _as(values[_original(name, values)], type)
        for name, type in net.GRAPH["inputs"].items()
    }
    with np.errstate(all="ignore"):
        found = forward(net, imported.params, held)
    for one, other in zip(found, wanted, strict=False):
        if not agrees(np.asarray(one), plain(np.asarray(other)), case):
            return Outcome("wrong")
    return Outcome("right", "", derivative(imported, net, held))


def plain(array: Any) -> Any:
    """An array in a type of NumPy's own."""
    return array.astype(np.float32) if array.dtype.kind == "V" or ("float" in str(array.dtype) and (
        array.dtype.itemsize < 4)) else array  # fmt: skip


def _original(name: str, values: Mapping[str, Any]) -> str:
    return name if name in values else name.rstrip("_")


def _as(array: Any, type: str) -> Any:
    return array.astype(
        np.int64 if type.startswith("int") else bool if type.startswith("bool") else float
    )


def forward(net: ModuleType, params: Mapping[str, Any], held: Mapping[str, Any]) -> list[Any]:
    found = net.forward(*([params] if params else []), *held.values())
    outs = found if hasattr(found, "_fields") else found[0]
    return list(outs)


def agrees(found: Any, wanted: Any, case: Any) -> bool:
    if found.shape != wanted.shape:
        return False
    if wanted.dtype.kind == "b" and found.dtype.kind != "b":
        return False
    kinds = [str(one.dtype) for one in case.data_sets[0][1]]
    coarse = 1e-2 if "bfloat16" in kinds else 1e-3  # of eight bits
    relative, absolute = max(case.rtol, coarse), max(case.atol, 1e-5)
    return np.allclose(
        found.astype(float), wanted.astype(float), relative, absolute, equal_nan=True
    )


def derivative(imported: Any, net: ModuleType, held: Mapping[str, Any]) -> str:
    """Compare products of cotangents with central differences, at random directions."""
    graph = net.GRAPH
    outputs = [
        name for name, type in graph["outputs"].items() if not type.startswith(("int", "bool"))
    ]
    inputs = [
        name for name, type in graph["inputs"].items() if not type.startswith(("int", "bool"))
    ]
    if not outputs or not inputs:
        return ""
    clause = f"vjp {', '.join(outputs)} wrt {', '.join(inputs)} as pull"
    try:
        pulling = graphc.compile_text(imported.text, "model", level=0, derive=[clause]).module()
    except graphc.GraphError:
        return ""  # no output depends on some input
    params = [imported.params] if imported.params else []
    places = [list(graph["outputs"]).index(name) for name in outputs]
    with np.errstate(all="ignore"):
        for seed in range(3):  # where one direction meets a kink, another may not
            random = np.random.default_rng(seed)
            values = {name: held[name] + 1e-3 * random.normal(size=np.shape(held[name]))
                      if name in inputs else held[name] for name in held}  # fmt: skip
            start = [np.asarray(one) for one in forward(net, imported.params, values)]
            seen = [np.isfinite(one) for one in start]
            if not any(seen[place].any() for place in places):
                return ""
            cotangents = {name: random.normal(size=start[place].shape) * seen[place]
                          for name, place in zip(outputs, places, strict=True)}  # fmt: skip
            directions = {name: random.normal(size=np.shape(one)) * np.isfinite(one)
                          for name, one in values.items() if name in inputs}  # fmt: skip
            _, pulled = pulling.pull(*params, *values.values(), cotangents=cotangents)
            mine = sum(np.sum(pulled[name] * directions[name]) for name in inputs)

            def weighted(step: float, values: Any = values, directions: Any = directions,
                         cotangents: Any = cotangents, seen: Any = seen) -> float:  # fmt: skip
                moved = {name: one + step * directions[name] if name in inputs else one
                         for name, one in values.items()}  # fmt: skip
                found = forward(net, imported.params, moved)
                return float(sum(np.sum(np.where(seen[place], found[place], 0) * cotangents[name])
                                 for name, place in zip(outputs, places, strict=True)))  # fmt: skip

            slope = (weighted(1e-6) - weighted(-1e-6)) / 2e-6
            scale = 1 + abs(slope)
            if np.isfinite(slope) and abs(mine - slope) < 1e-5 * scale:
                return "right"
    return "wrong"


# ---- the table ----------------------------------------------------------------------------------


def differentiable(operator: str) -> bool:
    """Whether the schema of an operator calls one of its inputs differentiable."""
    try:
        schema = onnx.defs.get_schema(operator)
    except onnx.defs.SchemaError:
        return False
    kind = onnx.defs.OpSchema.DifferentiationCategory.Differentiable
    return any(one.differentiation_category == kind for one in schema.inputs)


def table(found: Mapping[str, Outcome]) -> str:
    """The counts, and a row for each operator."""
    rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, one in found.items():
        row = rows[operator_of(cases()[name])]
        row["cases"] += 1
        row[one.value] += 1
        row["differentiated"] += one.derivative == "right"
        row["float"] += one.derivative != ""
    total: Counter[str] = Counter()
    for row in rows.values():
        total.update(row)
    smooth = {name for name in rows if differentiable(name)}
    said = {name for name in smooth if rows[name]["differentiated"]}
    lines = [
        f"Of {total['cases']} cases {total['right']} are imported and right, and {total['wrong']} "
        f"are wrong; {total['no tensors']} are not of tensors of numbers, {total['refused']} are "
        f"refused. Of {total['float']} of those that are right a derivative can be compared, and "
        f"{total['differentiated']} agree. Of the {len(smooth)} operators here whose schema calls "
        f"an input differentiable, {len(said)} are differentiated.",
        "",
        "| Operator | Cases | Imported | Derivatives | Refused |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in sorted(rows):
        row = rows[name]
        refused = row["refused"] + row["no tensors"]
        derivatives = f"{row['differentiated']} of {row['float']}" if row["float"] else ""
        counts = f"{row['cases']} | {row['right'] or ''} | {derivatives} | {refused or ''}"
        lines.append(f"| `{name}` | {counts} |")
    return "\n".join(lines) + "\n"


def outcomes(names: Iterable[str], found: Mapping[str, Any]) -> dict[str, Outcome]:
    """What becomes of cases."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: outcome(found[name]) for name in names}


def main(chosen: list[str]) -> None:
    names = [name for name in cases() if not chosen or any(word in name for word in chosen)]
    found = {}
    for name in names:
        try:
            found.update(outcomes([name], cases()))
        except Exception as wrong:
            found[name] = Outcome("wrong", f"{type(wrong).__name__}: {wrong}")
        one = found[name]
        if one.value == "wrong" or one.derivative == "wrong" or (chosen and one.value != "right"):
            print(name, one)
    print(
        Counter(one.value for one in found.values()),
        Counter(one.derivative for one in found.values()),
    )
    if not chosen:
        before = TABLE.read_text("utf-8").partition(MARK)[0]
        TABLE.write_text(before + MARK + "\n" + table(found), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
