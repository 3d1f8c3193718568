"""What stands at the edge of what a text may hold: numbers, names, characters."""

from __future__ import annotations

import ast
import builtins
import keyword
import random
from functools import cache

from graphc import names
from graphc.compile.stages import Options, compile_text
from graphc.ops import FUNCTIONS

INTEGERS = (
    "0", "1", "2", "3", "7", "63", "64", "65", "100", "511", "10000", "100000", "1000000",
    "2147483648", "9223372036854775807", "9223372036854775808", "1" + "0" * 310, "1" + "0" * 400,
    "7" * 5000, "0" * 400 + "3", "1_000", "0x10", "1.", ".5",
)  # fmt: skip
FLOATS = (
    "0.0", "1e400", "1e-400", "1e308", "1.5e-320", "9" * 400 + ".0", "1e999999999999", "2.0e+3",
    "1E5", "1e", "1.e5", "0.1e-0",
)  # fmt: skip
CHARACTERS = (
    "\0", "\x0b", "\x1b", "\x7f", "\x85", "\u200b", "\u202e", "\u2028", "\ufeff", "\r", "µ", "μ",
    "ﬁ", "𝐱", "а", "·", "−", "²", "∞", "“", "\\", "'", '"', '"""', "$", "`", "!", "&&", "||", "?",
    "\U0010ffff", "\ud800", "e\u0301", "１", "{", "}", "(", ")", "[", "]", "#", ";",
)  # fmt: skip
BYTES = (
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf8\x88",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x00",
    b"\r\n",
)
OPERATORS = (
    "+", "-", "*", "/", "@", "//", "%", "**", "<", "<=", "==", "!=", "=", ":", ",", ".", "..",
    "...", "->", "(", ")", "[", "]", "{", "}", "~", ";", "_", ".*", "and", "or", "not", "in",
    "if", "else", "next", "carry", "repeat", "scan", "per", "wrt", "as",
)  # fmt: skip

_PROGRAM = """dim B, T
dim D = 3
require T % 2 == 0
input x: [B, T, D]
input t: int[B]
param v: [D] ~ normal(0, 0.1)
repeat layer[k in 1..4] carry h = x { param W: [D, D]; next h = tanh(h @ W) }
scan s[i in T] carry c = zeros([B, D]) { u = c + h[:, i]; next c = tanh(u); collect cs = u }
block squared(a: [...]) -> b: [...] { b = a * a }
output y = cumsum(softmax(c * v), axis=-1)
output z = squared(sum(cs)) + sum(erf(h)) + mean(pick(y, t)) + sum(maxpool(x, [2]))
derive value_and_grad z wrt params
derive jacobian y wrt v
derive hvp z wrt v
derive jvp y wrt x, v
"""


@cache
def generated_names() -> tuple[str, ...]:
    """Every name that stands in modules of one program, private ones and attributes too."""
    found: set[str] = set()
    for options in (Options(), Options(level="-O2"), Options(level="-O2", dtype="float32")):
        for node in ast.walk(ast.parse(compile_text(_PROGRAM, options=options).text)):
            match node:
                case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name):
                    found.add(name)
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
    return tuple(sorted(found))


@cache
def _names() -> tuple[tuple[str, ...], ...]:
    reserved = {*names.RESERVED, *names.MODULE}
    forms = [
        f"{form}{one}" for form in ("d_", "t_", "ct_", "J_", "_") for one in ("x", "y", "loss")
    ]
    return (
        generated_names(),
        tuple(sorted({f"{one}{tail}" for one in reserved for tail in ("", "_", "_2")})),
        tuple(sorted({*keyword.kwlist, *keyword.softkwlist, *dir(builtins)})),
        tuple(sorted(FUNCTIONS)),
        (*forms, "_", "__", "__x__", "_x_", "x_", "x__", "x_2", "θ", "Ω", "a" * 300, "T", "self"),
    )


def edge_name(draw: random.Random) -> str:
    return draw.choice(draw.choice(_names()))
