"""Convolutions and pooling, in programs."""

from __future__ import annotations

from tests.fuzz.program import Type, literal
from tests.fuzz.writing.writer import Writer


def conv1(w: Writer) -> None:
    batch, channels = w.axis(), literal(w.draw.choice((1, 2)))
    length = literal(w.draw.choice((4, 5)))
    x = w.of((batch, channels, length))
    out, stride, pad = w.draw.choice((1, 2)), w.draw.choice((1, 1, 2)), w.draw.choice((0, 1))
    if w.chance(0.6):
        k = w.of((literal(out), channels, literal(2)))
        size = (length.size + 2 * pad - 2) // stride + 1
        text = f"conv1d({w.tame(x)}, {w.tame(k)}, stride={stride}, pad={pad})"
    else:
        k = w.of((channels, literal(out), literal(2)))
        size = (length.size - 1) * stride + 2 - 2 * pad
        text = f"conv_transpose1d({w.tame(x)}, {w.tame(k)}, stride={stride}, pad={pad})"
    w.add(text, Type((batch, literal(out), literal(size))), 9.0)


def conv2(w: Writer) -> None:
    batch, channels = w.axis(), literal(w.draw.choice((1, 2)))
    x = w.of((batch, channels, literal(3), literal(4)))
    out, pad = w.draw.choice((1, 2)), w.draw.choice((0, 1))
    kind = w.draw.randrange(3)
    if kind == 0:
        k = w.of((literal(out), channels, literal(2), literal(2)))
        shape = (batch, literal(out), literal(2 + 2 * pad), literal(3 + 2 * pad))
        w.add(f"conv2d({w.tame(x)}, {w.tame(k)}, pad={pad})", Type(shape), 9.0)
    elif kind == 1:
        k = w.of((channels, literal(out), literal(2), literal(2)))
        shape = (batch, literal(out), literal(6), literal(8))
        w.add(f"conv_transpose2d({w.tame(x)}, {w.tame(k)}, stride=2)", Type(shape), 9.0)
    else:
        name = w.one("maxpool", "avgpool")
        shape = (batch, channels, literal(2), literal(3))
        w.add(f"{name}({x.name}, 2, stride=1)", Type(shape), x.bound)


def conv3(w: Writer) -> None:
    x = w.of((literal(1), literal(1), literal(2), literal(3), literal(2)))
    k = w.of((literal(1), literal(1), literal(2), literal(2), literal(1)))
    if w.chance(0.6):
        shape = (literal(1), literal(1), literal(1), literal(2), literal(2))
        w.add(f"conv3d({w.tame(x)}, {w.tame(k)})", Type(shape), 9.0)
    else:
        shape = (literal(1), literal(1), literal(3), literal(4), literal(2))
        w.add(f"conv_transpose3d({w.tame(x)}, {w.tame(k)})", Type(shape), 9.0)
