"""`graphc new`: a first graph, with a script that trains it."""

from __future__ import annotations

import keyword
import sys
from pathlib import Path

import click

from graphc.cli.command import command
from graphc.cli.options import cite, fail, reason_of

GRAPH = """\
# A network with a residual branch that learns a curve. `graphc explain {name}.graph` tells how its
# gradient comes about, `graphc check --grad {name}.graph` compares it with numerical derivatives.
dim B "samples"
input x: [B, 1]
input t: [B, 1] "what the network should say of x"

x -> dense(32, act=tanh) as up -> h
y = h + dense(h, 32, act=tanh) as branch  # h has two children
output p = dense(y, 1)
output loss = mean((p - t)**2)

derive value_and_grad loss wrt params
"""
SCRIPT = """\
# First: graphc compile {name}.graph
import {name}
import numpy as np

x = np.linspace(-3, 3, 64)[:, None]
t = np.sin(2 * x)

params = {name}.init(seed=0)
speed = {{path: np.zeros_like(value) for path, value in params.items()}}
for step in range(2001):
    loss, grads = {name}.value_and_grad_loss(params, x, t)
    for path, gradient in grads.items():
        speed[path] = 0.95 * speed[path] - 0.01 * gradient
        params[path] = params[path] + speed[path]
    if step % 500 == 0:
        print(f"step {{step:4}}: loss {{loss:.5f}}")
"""


@command("new", "graphc new curve", "graphc new models/curve")
@click.argument("name", metavar="NAME", help="Of the graph; its folder must be there.")
def new(name: str) -> None:
    """Write a first graph NAME.graph, and a script that trains it; nothing is overwritten."""
    path = Path(name.removesuffix(".graph"))
    if not path.name.isidentifier() or keyword.iskeyword(path.name):
        why = "a module's name is one word of letters, digits and `_`, no digit first"
        if keyword.iskeyword(path.name):
            why = "it is a keyword of Python"
        raise fail(f"`{cite(path.name)}` cannot be imported: {why}")
    if path.name in {"numpy", "scipy", *sys.stdlib_module_names}:
        raise fail(f"`{path.name}` would hide a module of Python's or NumPy's; choose another name")
    graph, script = path.with_suffix(".graph"), path.with_name(f"train_{path.name}.py")
    for file in (graph, script):
        if file.exists():
            raise fail(f"{cite(file)} is there already; choose another name")
    for file, text in ((graph, GRAPH), (script, SCRIPT)):
        try:
            with file.open("x", encoding="utf-8", newline="\n") as stream:
                stream.write(text.format(name=path.name))
        except OSError as why:
            raise fail(f"cannot write {cite(file)}: {reason_of(why)}") from None
    click.echo(f"wrote {graph} and {script}; next:")
    click.echo(f"  graphc compile {graph}\n  python {script}")
