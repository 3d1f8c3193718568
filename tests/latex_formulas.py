"""LaTeX read back: a formula as it is printed, evaluated with the numbers of its symbols."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.special

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    r"\sigma": scipy.special.expit,
    r"\tanh": np.tanh,
    r"\sin": np.sin,
    r"\cos": np.cos,
    r"\max": np.maximum,
    r"\ln": np.log,
    r"\operatorname{diag}": lambda x: np.diag(np.ravel(x)),
}


class Reader:
    """A text of LaTeX's mathematics, its symbols, and the place where the reading is."""

    def __init__(self, text: str, symbols: Mapping[str, Any], dims: Mapping[str, int]) -> None:
        self.text, self.dims = text.replace(r"\left", "").replace(r"\right", ""), dims
        self.symbols = {
            name.replace(r"\left", "").replace(r"\right", ""): value
            for name, value in symbols.items()
        }
        self.names = sorted(self.symbols, key=len, reverse=True)

    def value(self) -> Any:
        found = self.sum()
        assert not self.text.strip(), f"left over: {self.text}"
        return found

    def take(self, *tokens: str) -> str:
        """The token that comes next, if it is one of these."""
        self.text = self.text.lstrip()
        for token in tokens:
            if self.text.startswith(token):
                self.text = self.text[len(token) :]
                return token
        return ""

    def need(self, token: str) -> None:
        assert self.take(token), f"no {token} at: {self.text}"

    def sum(self) -> Any:
        found = -1 * self.elements() if self.take("-") else self.elements()
        while sign := self.take("+", "-"):
            other = self.elements()
            found = found + other if sign == "+" else found - other
        return found

    def elements(self) -> Any:
        """Factors of ⊙ or of ⊗."""
        found = self.product()
        while sign := self.take(r"\odot", r"\otimes"):
            other = self.product()
            found = found * other if sign == r"\odot" else np.kron(found, other)
        return found

    def product(self) -> Any:
        if self.take(r"\sum"):
            return np.sum(self.product())
        found = self.power()
        while self.take(r"\,", r"\cdot"):
            other = self.power()
            plain = np.ndim(found) == 0 or np.ndim(other) == 0
            found = found * other if plain else found @ other
        return found

    def power(self) -> Any:
        found = self.base()
        while self.take("^"):
            self.need("{")
            if self.take(r"\top"):
                found = np.swapaxes(found, -1, -2) if np.ndim(found) else found
            else:
                found = found ** self.sum()
            self.need("}")
        return found

    def base(self) -> Any:
        self.text = self.text.lstrip()
        for name in self.names:
            if self.text.startswith(name):
                self.text = self.text[len(name) :]
                return self.symbols[name]
        if number := re.match(r"\d+(\.\d+)?", self.text):
            self.take(number[0])
            return np.asarray(float(number[0]))
        if function := self.take(*FUNCTIONS):
            self.need("(")
            args = [self.sum()]
            while self.take(","):
                args.append(self.sum())
            self.need(")")
            return FUNCTIONS[function](*args)
        if self.take(r"\frac"):
            self.need("{")
            top = self.sum()
            self.need("}")
            self.need("{")
            bottom = self.sum()
            self.need("}")
            return top / bottom
        if letter := self.take(r"\mathbf 1_{", "I_{"):
            size = int(self.sum())
            self.need("}")
            return np.ones((size, 1)) if letter.startswith(r"\m") else np.eye(size)
        if sign := self.take("(", "{"):
            found = self.sum()
            self.need({"(": ")", "{": "}"}[sign])
            return found
        if dim := self.take(*self.dims):
            return np.asarray(float(self.dims[dim]))
        raise AssertionError(f"what is this? {self.text}")


def read(text: str, symbols: Mapping[str, Any], dims: Mapping[str, int]) -> Any:
    """What a formula says in numbers."""
    return Reader(text, symbols, dims).value()


def opened(text: str) -> Sequence[str]:
    """The braces, environments and dollars of a text that are not closed, in the order opened."""
    found: list[str] = []
    pattern = r"\\begin\{(\w+\*?)\}|\\end\{(\w+\*?)\}|\\left|\\right|\\.|[{}]"
    for match in re.finditer(pattern, text):
        token = match[0]
        if match[1] or token in ("{", r"\left"):
            found.append(match[1] or token)
        elif match[2] or token in ("}", r"\right"):
            expected = match[2] or {"}": "{", r"\right": r"\left"}[token]
            assert found[-1:] == [expected], text[max(0, match.start() - 60) :][:90]
            found.pop()
    return found
