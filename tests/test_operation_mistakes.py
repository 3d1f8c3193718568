"""What is wrong with a call is said at its place, with the name of the operation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from conftest import module
from operation_references import CALLS
from sampling import NAMES

from graphc.ops import FUNCTIONS, Function
from graphc.ops.define.functions import REQUIRED
from graphc.source import Diagnostic, GraphError

# What no parameter of a kind can be, and the code of that mistake.
WRONG = {
    "axis": ("99", "E305"),
    "axes": ("[9]", "E305"),
    "int": ("2.5", "E212"),
    "bool": ("3", "E212"),
    "float": ('"text"', "E212"),
    "str": ("3", "E212"),
    "ints": ("[7]", "E305"),
    "sizes": ('"text"', "E212"),
    "shape": ("2.5", "E212"),
    "list": ("3", "E212"),
}


ADDITIVE = {"rearrange": ('rearrange(a, "x (y")', "E306")}
"""What no parameter's kind tells."""


OUTSIDE = r', (?![^\[(]*[\])])(?=(?:[^"]*"[^"]*")*[^"]*$)'
"""A comma in no brackets and no string."""


@dataclass(frozen=True)
class Wrong:
    """A call that is refused, and the code of the mistake."""

    name: str
    call: str
    types: tuple[str, ...]
    codes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.call} of {' '.join(self.types)}"


def wrong_calls(function: Function) -> Iterator[Wrong]:
    """None, one too many, text for a tensor, each of a wrong kind, another shape, another dtype."""
    name = function.name
    tensors = [p for p in function.parameters if p.kind == "tensor"]
    if any(p.default is REQUIRED and not p.variadic for p in function.parameters):
        yield Wrong(name, f"{name}()", (), ("E209",))
    elif tensors:
        yield Wrong(name, f"{name}()", (), ("E209", "E301"))
    if name in ADDITIVE:
        yield Wrong(name, ADDITIVE[name][0], ("[2, 3]",), (ADDITIVE[name][1],))
    plain = [c for c in CALLS.get(name, ()) if "=" not in c.use.text and not c.symbolic]
    if not plain:
        yield Wrong(name, f"{name}(2.5)", (), ("E212", "E209"))
        yield Wrong(name, f"{name}(3, nope=1)", (), ("E209",))
        return
    call = next((c for c in plain if len(c.types) == max(len(p.types) for p in plain)), plain[0])
    closed = call.text.removesuffix(")")
    if not any(p.keywords for p in function.parameters):
        yield Wrong(name, f"{closed}, nope=1)", call.types, ("E209",))
    first = next(place for place, p in enumerate(function.parameters) if p.kind == "tensor")
    written = re.split(OUTSIDE, call.use.text)
    text = ", ".join([*written[:first], '"text"', *written[first + 1 :]])
    yield Wrong(name, f"{name}({text})", call.types, ("E211", "E406"))
    given = len(written)
    for place, parameter in enumerate(function.parameters):
        if parameter.kind in WRONG and parameter.default is not REQUIRED and place >= given:
            value, code = WRONG[parameter.kind]
            yield Wrong(name, f"{closed}, {parameter.name}={value})", call.types, (code,))
    shaped = [c for c in plain if len(c.types) > 1 and c.types[0].partition("[")[2] != "]"]
    if len(tensors) > 1 and shaped and not shaped[-1].types[-1].startswith("int"):
        types = (*shaped[0].types[:-1], shaped[0].types[-1].partition("[")[0] + "[7, 5, 9]")
        yield Wrong(name, shaped[0].text, types, ("E301", "E302", "E306"))
    for slot, type in enumerate(call.types):
        kinds = {c.types[slot].partition("[")[0] for c in CALLS[name] if slot < len(c.types)}
        if kinds == {"int"}:
            types = (*call.types[:slot], type.removeprefix("int"), *call.types[slot + 1 :])
            yield Wrong(name, call.text, types, ("E308", "E301"))


def refused(wrong: Wrong) -> Diagnostic:
    inputs = "\n".join(f"input {n}: {type}" for n, type in zip(NAMES, wrong.types, strict=False))
    with pytest.raises(GraphError) as caught:
        module(f"{inputs}\noutput y = {wrong.call}")
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


GENERATED = {name: list(wrong_calls(function)) for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_three_mistakes(name: str) -> None:
    """Each has its code, the name of the operation, and a place in the call."""
    assert len(GENERATED[name]) >= 3
    for wrong in GENERATED[name]:
        diagnostic = refused(wrong)
        assert diagnostic.code in wrong.codes, wrong
        assert re.search(rf"\b{name}\b", diagnostic.message), (wrong, diagnostic.message)
        assert diagnostic.span is not None
        assert diagnostic.span.text in f"output y = {wrong.call}"
        assert diagnostic.span.line == max(len(wrong.types), 1) + 1


SHAPE = "input a: [2, 3, 4]"
MISTAKES = [
    ('rearrange(a, "b t (h d) -> b h t d")', "E306", "cannot tell the sizes of `h` and `d`"),
    ('rearrange(a, "b t (h d) -> b h t d", h=3)', "E306", "(h d) of 3 does not fit an axis of 4"),
    ('rearrange(a, "b t -> t b")', "E306", "names 2 axes for [2, 3, 4]"),
    ('rearrange(a, "b t c -> b t")', "E306", "index `c` is on one side only"),
    ('rearrange(a, "b (t -> b t")', "E306", "unmatched parenthesis"),
    ('rearrange(a, "b b c -> b c")', "E306", "occurs 2 times on one side"),
    ('rearrange(a, "b t c -> b t c", k=2)', "E306", "no index `k`"),
    ('rearrange(a, "b t c -> c t b", c=2.5)', "E212", "`c` of `rearrange` is an integer"),
    ('einsum("bij -> bji", a)', "E306", '"bij" has 1 ind'),
    ('einsum("b i j, j -> b i", a)', "E306", "names 2 operands and gets 1"),
    ('einsum("b i j -> b i", a)', "E306", "`j` occurs once and not in the result"),
    ('einsum("b i j -> b i j j", a)', "E306", "`j` occurs 2 times in the result"),
    ('einsum("b i i -> b", a)', "E306", "`i` is 3 and 4"),
    ('einsum("b i j", a)', "E306", "needs one `->`"),
    ('einsum("b i 2j -> b", a)', "E306", "`2j` is not an index"),
    ("conv2d(a, a)", "E301", "takes x: [N, C, H, W]"),
    ("conv1d(a, ones([5, 2, 2]))", "E301", "channels do not fit"),
    ("conv1d(a, ones([5, 3, 9]))", "E301", "reach 9 over an axis of 4"),
    ("conv1d(a, ones([5, 3, 2]), stride=0)", "E305", "at least 1"),
    ("conv1d(a, ones([4, 1, 2]), groups=3)", "E302", "4 kernels into 3 groups"),
    ("maxpool(a, 9)", "E301", "reach 9 over an axis of 3"),
    ("maxpool(a, [2, 2, 2, 2])", "E301", "the last 4 axes"),
    ("pad(a, [1, 2, 3])", "E305", "`pad` needs a number"),
    ('pad(a, 1, mode="nearest")', "E209", "no mode `nearest`"),
    ("fill_tril(a, 4)", "E301", "takes 6 numbers"),
    ("inv(a)", "E301", "square matrices"),
    ("cross(a, a)", "E301", "vectors of 3"),
    ("norm(a, 3)", "E209", "orders 1, 2 and inf"),
    ("take(a, a)", "E308", "is an integer"),
    ("one_hot(a, 3)", "E308", "is an integer"),
    ("squeeze(a, axis=0)", "E305", "has not the length 1"),
    ("cumsum(a, axis=5)", "E305", "no axis 5"),
    ("dot(a, a)", "E301", "vectors and matrices"),
]


@pytest.mark.parametrize(("text", "code", "message"), MISTAKES, ids=lambda one: one)
def test_mistake_in_words(text: str, code: str, message: str) -> None:
    with pytest.raises(GraphError) as caught:
        module(f"{SHAPE}\noutput y = {text}")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert message in diagnostic.message
