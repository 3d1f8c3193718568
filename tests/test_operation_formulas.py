"""The formulas of the table of operations, read back from their LaTeX, have the module's numbers.

Those of elements that are told with indices, and words beside a formula, are not read: a test
counts them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from scipy import special

from graphc.compile.stages import Compilation, Options, load
from graphc.ops import FUNCTIONS
from graphc.source import Source
from graphc.views.reference.latex import formulas
from graphc.views.reference.samples import Sample, sample
from graphc.views.reference.table import Row, rows

SIZES = {"B": 3, "D": 4, "K": 2, "M": 2, "N": 3, "T": 4, "C": 4}
TOKEN = re.compile(
    r"\s*(\\operatorname\{(?:\\_|[\w.])+\}|\\mathit\{(?:\\_|\w)+\}|\\[a-zA-Z]+|\\,|\\;|\d+\.?\d*"
    r"(?:e[+-]?\d+)?|[a-zA-Z]|[-+*/^_(){}\[\]=,|])"
)
WORDS = (r"\text", r"\prod_", r"\sum_", "_{i", "_i", "_k", "_j", "_t", "_n", "_s", "_b",
         r"\mathrel", r"\quad", r"\begin", r"\lvert \{", r"\partial", r"\mathrm{B}")  # fmt: skip
"""What only formulas with indices or words have."""

NAMED: Mapping[str, Callable[..., Any]] = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh,
    "tanh": np.tanh, "arcsin": np.arcsin, "arccos": np.arccos, "arctan": np.arctan,
    "arsinh": np.arcsinh, "arcosh": np.arccosh, "artanh": np.arctanh, "sign": np.sign,
    "ln": np.log, "max": np.maximum, "min": np.minimum, "erf": special.erf, "erfc": special.erfc,
    "sigma": special.expit, "Phi": special.ndtr, "Gamma": special.gamma, "psi": special.digamma,
    "varphi": lambda x: np.exp(-x * x / 2) / np.sqrt(2 * np.pi), "det": np.linalg.det,
    "P": special.gammainc, "Q": special.gammaincc, "exp": np.exp, "chol": np.linalg.cholesky,
    "softmax": lambda x: special.softmax(x, axis=1), "tril": np.tril, "sinc": np.sinc,
    "atan2": np.arctan2, "trace": np.trace,
    "isfinite": np.isfinite, "isnan": np.isnan, "isinf": np.isinf, "round": np.round,
    "trunc": np.trunc, "heaviside": np.heaviside, "triu": np.triu, "diag": np.diag,
    "diagonal": np.diagonal, "ratio": np.divide, "argsort": np.argsort,
    "argmax": lambda x: np.argmax(x, axis=1), "argmin": lambda x: np.argmin(x, axis=1),
    "any": lambda x: np.any(x, axis=1), "all": lambda x: np.all(x, axis=1),

}  # fmt: skip


BESSEL: Mapping[str, Callable[..., Any]] = {"J": special.jv, "I": special.iv, "K": special.kv}
SCRIPTS = {r"\top": "T", r"-\top": "-T", "+": "+", r"+\top": "+T"}
INVERSES: Mapping[str, Callable[..., Any]] = {
    "Phi": special.ndtri, "erf": special.erfinv, "erfc": special.erfcinv
}  # fmt: skip


class Unread(Exception):
    """A formula that says more than this reads."""


class Reader:
    """A formula in LaTeX, read from left to right."""

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self.tokens: list[str] = []
        at = 0
        while text[at:].strip():
            found = TOKEN.match(text, at)
            if found is None:
                raise Unread(text[at:])
            self.tokens += [] if found[1] in (r"\left", r"\right") else [found[1]]
            at = found.end()
        self.names, self.at = names, 0

    @property
    def next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, *tokens: str) -> str:
        if self.next in tokens:
            self.at += 1
            return self.tokens[self.at - 1]
        return ""

    def need(self, token: str) -> None:
        if not self.take(token):
            raise Unread(f"{token} before {self.tokens[self.at : self.at + 5]}")

    def whole(self) -> Any:
        found = self.sum()
        if self.next:
            raise Unread(self.next)
        return found

    def sum(self) -> Any:
        sign = -1 if self.take("-") else 1
        found = sign * self.product()
        while token := self.take("+", "-"):
            term = self.product()
            if self.names.get("matrices") and np.ndim(found) == 0 and np.ndim(term) == 2:
                found = found * np.eye(len(term))
            found = found + term if token == "+" else found - term
        return found

    def product(self) -> Any:
        """Factors between ⊙; what stands side by side binds more tightly."""
        found = self.factors()
        while True:
            if self.take(r"\odot", "*"):
                found = found * self.factors()
            elif self.take(r"\bmod"):
                found = np.mod(found, self.factors())
            elif self.take(r"\times"):
                found = np.cross(found, self.factors())
            else:
                return found

    def factors(self) -> Any:
        found = self.power()
        while True:
            if self.take("/"):
                found = found / self.power()
            elif self.take(r"\,", r"\;") or self.begins():
                other = self.power()
                number = np.ndim(found) == 0 or np.ndim(other) == 0 or self.names.get("kept")
                outer = np.ndim(found) == 1 and np.ndim(other) == 2 and len(other) == 1
                found = found[:, None] if outer else found
                found = found * other if number else found @ other
            else:
                return found

    def begins(self) -> bool:
        """True if what follows is a further factor."""
        token = self.next
        ends = ("", "+", "-", "=", ",", ")", "}", "]", "^", "_", "/", "|", "*", r"\odot")
        closing = (r"\rvert", r"\rVert", r"\rfloor", r"\rceil", r"\right", r"\gt", r"\ge", r"\lt",
                   r"\le", r"\ne", r"\lor", r"\bmod", r"\times")  # fmt: skip
        return token not in (*ends, *closing)

    def power(self) -> Any:
        found = self.atom()
        while self.take("^"):
            script = self.script()
            if isinstance(script, str):
                found = np.linalg.pinv(found) if "+" in script else found
                found = np.linalg.inv(found) if "-" in script else found
                found = np.transpose(np.atleast_2d(found).T if np.ndim(found) < 2 else found) if (
                    "T" in script) else found  # fmt: skip
            elif np.ndim(script) == 0 and script == -1 and self.names.get("matrices"):
                found = np.linalg.inv(found)
            else:
                found = np.power(found, script)
        return found

    def script(self) -> Any:
        if self.take("{"):
            whole = "".join(self.tokens[self.at :]).partition("}")[0]
            if whole in SCRIPTS:
                self.at += len(SCRIPTS[whole]) + 1
                return SCRIPTS[whole]
            found = self.sum()
            self.need("}")
            return found
        return self.atom()

    def group(self) -> Any:
        self.need("{")
        found = self.sum()
        self.need("}")
        return found

    def small(self) -> Any:
        """The part of a small fraction: a group, a digit or a sign."""
        return self.group() if self.next == "{" else self.atom()

    def call(self, name: str) -> Any:
        self.need("(")
        args = [self.sum()]
        while self.take(","):
            args.append(self.sum())
        self.need(")")
        if name in ("max", "min") and len(args) == 1:
            return getattr(np, name)(args[0], axis=1)
        if name not in NAMED:
            raise Unread(name)
        return NAMED[name](*args)

    def compared(self) -> Any:
        if self.take(r"\lnot"):
            found: Any = 1.0 - self.sum()
        else:
            one = self.sum()
            signs = {r"\gt": np.greater, r"\ge": np.greater_equal, r"\lt": np.less,
                     r"\le": np.less_equal, r"\ne": np.not_equal, "=": np.equal,
                     r"\lor": np.logical_or}  # fmt: skip
            sign = self.take(*signs)
            if not sign:
                raise Unread(self.next)
            found = signs[sign](one, self.sum())
        self.need("]")
        return np.asarray(found, float)

    def atom(self) -> Any:
        token = self.next
        self.at += 1
        if re.fullmatch(r"\d.*", token):
            if self.at > 1 and self.tokens[self.at - 2] == r"\tfrac" and len(token) == 2:
                self.tokens[self.at - 1 : self.at] = [*token]  # \tfrac12
                return float(token[0])
            return float(token)
        match token:
            case "(":
                found = self.sum()
                self.need(")")
                return found
            case "{":
                self.at -= 1
                return self.group()
            case "[":
                return self.compared()
            case r"\bar":
                return self.names[f"bar {self.name(self.tokens[self.at])}"]
            case r"\frac":
                return self.group() / self.group()
            case r"\tfrac":
                return self.small() / self.small()
            case r"\sqrt":
                if self.take("["):
                    self.need("3")
                    self.need("]")
                    return np.cbrt(self.group())
                return np.sqrt(self.small())
            case r"\lvert":
                found = np.abs(self.sum())
                self.need(r"\rvert")
                return found
            case r"\lfloor" | r"\lceil":
                found = self.sum()
                self.need(token.replace("l", "r", 1))
                return np.floor(found) if "floor" in token else np.ceil(found)
            case r"\sum":
                return np.sum(self.product(), axis=-1, keepdims=self.names.get("kept", False))
            case r"\log":
                self.need("_")
                base = self.small()
                return self.call("ln") / np.log(base)
            case r"\pi":
                return np.pi
            case "e":
                self.need("^")
                return np.exp(self.script())
        name = self.name(token, move=False)
        if name in self.names:
            return self.names[name]
        if token in BESSEL and self.take("_"):
            order = self.small()
            self.need("(")
            found = BESSEL[token](order, self.sum())
            self.need(")")
            return found
        word = re.sub(r"\\operatorname\{(.*)\}|\\", r"\1", token)
        if word == "mathbf":
            self.need("1")
            return np.ones((self.names["n"], 1))
        if word == "psi" and self.take("^"):
            self.need("{")
            self.need("(")
            order = self.sum()
            self.need(")")
            self.need("}")
            self.need("(")
            found = special.polygamma(int(order), self.sum())
            self.need(")")
            return found
        if word in INVERSES and self.take("^"):
            if self.script() != -1:
                raise Unread(word)
            self.need("(")
            found = INVERSES[word](self.sum())
            self.need(")")
            return found
        if self.next == "(":
            return self.call(word)
        if word in NAMED and word not in ("max", "min"):
            return NAMED[word](self.power())
        raise Unread(token)

    def name(self, token: str, move: bool = True) -> str:
        self.at += move and bool(self.tokens)
        found = re.sub(r"\\mathit\{(.*)\}", r"\1", token)
        return found.replace(r"\_", "_")


def given(shown: Sample) -> dict[str, Any]:
    """Numbers for the inputs of a sample, inside of most domains."""
    rng = np.random.default_rng(len(shown.call))
    found: dict[str, Any] = {}
    for name, type in shown.inputs.items():
        kind, _, axes = type.partition("[")
        sizes = [one.strip() for one in axes.rstrip("]").split(",") if one.strip()]
        shape = [SIZES[one] if one in SIZES else int(one) for one in sizes]
        values = rng.uniform(0.2, 0.9, shape)
        if kind:
            values = rng.integers(0, 2, shape).astype(kind)
        elif len(shape) == 2 and shape[0] == shape[1] and "N" in sizes:
            values = values @ values.T + 3 * np.eye(shape[0])
        found[name] = values + 1.1 if "cosh" in shown.call else values
    return found


def read(name: str) -> tuple[int, int]:
    """How many formulas of an operation are read, and are right; and how many there are."""
    shown = sample(FUNCTIONS[name])
    value, back = formulas(FUNCTIONS[name])
    texts = [re.sub(r",\\quad 0 \\text.*", "", text) for text in (value, *back)]
    if shown.results > 1 or any(word in text for text in texts for word in WORDS):
        return 0, len(texts)
    outputs = shown.outputs
    zeros = {Reader("", {}).name(one.split()[1]) for one in back if one.endswith(" = 0")}
    wrt = ", ".join(one for one in shown.differentiable if one not in zeros)
    derive = f"derive vjp {outputs[0]} wrt {wrt}\n" if back and wrt else ""
    compiled = Compilation(Source("sample.graph", f"{shown.graph}\n{derive}"), Options(level="-O0"))
    module: Any = load(compiled.text, "sample")
    inputs = given(shown)
    asked = inspect.signature(module.forward).parameters.values()
    unknown = {one.name: SIZES[one.name] for one in asked if one.name in SIZES}
    found = module.forward(**inputs, **unknown)
    outs = found[0] if isinstance(found, tuple) and hasattr(found[0], "_fields") else found
    out = np.asarray(outs[0], float)
    ct = np.random.default_rng(1).normal(size=out.shape)
    gradients = {}
    if derive:
        whole = getattr(module, f"vjp_{outputs[0]}")(
            **inputs, **unknown, cotangents={outputs[0]: ct}
        )
        gradients = whole[1]
    names = {**inputs, outputs[0]: out, f"bar {outputs[0]}": ct}
    names |= {f"bar {key}": 0.0 for key in zeros} | {f"bar {k}": v for k, v in gradients.items()}
    names["matrices"] = any("[N, N]" in one for one in shown.inputs.values()) or name == "pinv"
    if "axis=1" in shown.call and out.ndim == 1:  # a row of each
        names |= {"kept": True, "n": 4, r"\mu": np.mean(inputs["x"], axis=1, keepdims=True)}
        names |= {key: names[key][:, None] for key in (outputs[0], f"bar {outputs[0]}")}
    elif "axis=1" in shown.call or "softmax" in name:
        names["kept"] = True
    right = 0
    for text in texts:
        left, _, rest = text.partition(" = ")
        rest = rest if "[" in rest else rest.rpartition(" = ")[2]
        reader = Reader(left, names)
        try:
            expected = np.asarray(reader.whole(), float)
            said = np.asarray(Reader(rest, names).whole(), float)
            said = np.broadcast_to(said, np.broadcast_shapes(said.shape, expected.shape))
        except (Unread, ValueError, KeyError):
            continue
        if said.size != expected.size:
            continue
        np.testing.assert_allclose(
            said.reshape(expected.shape), expected, 1e-4, 1e-6, err_msg=f"{name}: {text}"
        )
        right += 1
    return right, len(texts)


UNREAD = ("gammainc", "gammaincc", "betainc")
"""Elementwise operations whose formulas have derivatives that no sign stands for."""


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[int, int]]:
    with np.errstate(all="ignore"):
        return {name: read(name) for name in FUNCTIONS}


def test_formulas_have_the_numbers_of_modules(found: dict[str, tuple[int, int]]) -> None:
    assert sum(right for right, _ in found.values()) >= 280
    assert all(right <= all_ for right, all_ in found.values())


@pytest.mark.parametrize("row", [row for row in rows() if row.family.startswith("elementwise")])
def test_every_formula_of_elements_is_read(found: dict[str, tuple[int, int]], row: Row) -> None:
    right, all_ = found[row.name]
    assert right == all_ or row.name in UNREAD
