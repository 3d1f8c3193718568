"""A module's derivatives against numerical ones: by function and path, and rule by rule."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from graphc.checking.domain import FAILURES
from graphc.checking.point import Start, choose_point
from graphc.compile.stages import Compilation, Options, compile_levels, compile_source, load
from graphc.elaborate.names.model import Model, StatedRule
from graphc.records import dataclass, replace
from graphc.source import Diagnostic, Source, Span, error
from graphc.targets.numpy.functions.check import tolerance

LEVELS = ("-O0", "-O2")


@dataclass(frozen=True, slots=True)
class Compared:
    """The derivative of a function at a level by a path, along the direction that agrees least.

    `gap` is |analytic - numerical| / max(1, |numerical|), nan where there is nothing to compare.
    """

    level: str
    function: str
    path: str
    gap: float
    analytic: float
    numerical: float
    limit: float

    @property
    def wrong(self) -> bool:
        return self.gap > self.limit

    @property
    def why_not(self) -> str:
        """Say why there is nothing to compare; empty where there is."""
        if not np.isnan(self.gap):
            return ""
        if np.isnan(self.numerical):
            return "the numerical derivative is nan: the function is not finite around this point"
        return "the numerical derivatives do not settle: a kink, rounding, or too steep"


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a file: its module by level, all comparisons, and what is wrong."""

    results: tuple[Compilation, ...]
    compared: tuple[Compared, ...]
    mistakes: tuple[Diagnostic, ...]


def check_derivatives(
    source: Source, options: Options, folder: Path | None, levels: Sequence[str], place: Start
) -> Checked:
    """Compare every derivative of what `compile` writes at these levels; raises GraphError."""
    results = tuple(compile_levels(source, options, folder, levels))
    modules = [load(one.text, one.model.name) for one in results]
    model = results[0].model
    if not hasattr(modules[0], "check"):
        return Checked(results, (), ())
    watching = replace(options, level=LEVELS[0], trace=True, memory="")
    traced = compile_source(source, watching, folder).text
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            at, finite = choose_point(model, load(traced, model.name), place)
            if not finite and not place.given:
                return Checked(results, (), (_nowhere(model, load(traced, model.name), at),))
            mistakes = [*_wrong_rules(source, options, folder, model, at)]
            found = [
                one
                for result, module in zip(results, modules, strict=True)
                for one in _compare(result.model, module, options, at)
            ]
            mistakes += [_differs(model, one, bool(mistakes)) for one in found if one.wrong]
            mistakes += _values(model, modules, levels, at)
        except (*FAILURES, TypeError) as why:
            return Checked(results, (), (error("E423", f"nothing was compared: {why}", None),))
    return Checked(results, tuple(found), tuple(mistakes))


def _compare(
    model: Model, module: ModuleType, options: Options, at: Mapping[str, Any]
) -> Iterator[Compared]:
    if not hasattr(module, "_comparison"):
        return  # a surrogate differs on purpose
    orders = {one.name: one.kind.order for one in model.derivations}
    for name, by_path in module._comparison(**at).items():
        limit = tolerance(orders.get(name, 1), options.dtype)
        for path, (gap, analytic, numerical) in by_path.items():
            yield Compared(
                module.GRAPH["level"], name, path, gap, float(analytic), float(numerical), limit
            )


# ---- what is wrong -----------------------------------------------------------------------------


def _differs(model: Model, one: Compared, explained: bool) -> Diagnostic:
    """Report a function whose derivative is not the numerical one."""
    spans = {each.name: each.span for each in model.clauses}
    paths = {d.name: d.span for d in (*model.inputs, *model.params)}
    span: Span | None = spans.get(one.function) or paths.get(one.path)
    message = (
        f"`{one.function}` by `{one.path}` is {one.analytic:.6g} at {one.level}, "
        f"numerically {one.numerical:.6g}"
    )
    note = "it goes through a rule that is wrong" if explained else "along a random direction"
    return error("E420", message, span, notes=[note])


def _wrong_rules(
    source: Source, options: Options, folder: Path | None, model: Model, at: Mapping[str, Any]
) -> Iterator[Diagnostic]:
    """Report the rules that are wrong: each is tried alone, so that both modes take it."""
    for rule in model.rules:
        if rule.kind.surrogate:
            continue
        alone = replace(options, level=LEVELS[0], rule=str(rule.span), memory="", derive=())
        result = compile_source(source, alone, folder)
        module = load(result.text, result.model.name)
        wrong = [one for one in _compare(result.model, module, alone, at) if one.wrong]
        if wrong:
            yield _wrong_rule(rule, max(wrong, key=lambda one: one.gap))


def _wrong_rule(rule: StatedRule, worst: Compared) -> Diagnostic:
    message = f"the rule `{rule.kind.name} {rule.port}` of block `{rule.block}` is no derivative"
    note = (
        f"with this rule alone, of the {rule.kind.of} `{rule.port}`, "
        f"`{worst.function}` by `{worst.path}` is {worst.analytic:.6g}, "
        f"numerically {worst.numerical:.6g}"
    )
    help = "one that is meant to differ is a `rule surrogate`"
    return error("E421", message, rule.span, help=help, notes=[note])


def _values(
    model: Model, modules: Sequence[ModuleType], levels: Sequence[str], at: Mapping[str, Any]
) -> Iterator[Diagnostic]:
    """Report outputs that differ from one level to another."""
    limit = 1e-9 if model.dtype == "float64" else 1e-3
    first, *others = [module.forward(**at)[0] for module in modules]
    for level, other in zip(levels[1:], others, strict=True):
        for declared, one, two in zip(model.outputs, first, other, strict=True):
            one, two = np.asarray(one, np.float64), np.asarray(two, np.float64)
            if not np.allclose(one, two, limit, limit, equal_nan=True):
                message = f"output `{declared.name}` is another at {level} than at {levels[0]}"
                yield error("E422", message, declared.span)


def _nowhere(model: Model, traced: ModuleType, at: Mapping[str, Any]) -> Diagnostic:
    """Report that no point was found at which all is finite, and what the last one lacked."""
    try:
        first = traced.trace(**at)
        why = "" if first is None else f"{first.place}: {str(first).splitlines()[0]}"
    except FAILURES as raised:
        why = str(raised)
    return error(
        "E423",
        "no point was found at which every value is finite and every index inside of its axis",
        model.outputs[0].span,
        help="give one by `--at FILE.npz`, or try another `--seed`",
        notes=[why] if why else [],
    )
