"""The functions of a module that make parameters: init, flatten, unflatten."""

from __future__ import annotations

from graphc.elaborate.model import Declared, Initialiser
from graphc.emit.compiled import Compiled
from graphc.emit.layout import function


def init(compiled: Compiled) -> str:
    dims = sorted(
        {name for d in compiled.model.params for axis in d.node.shape for name in axis.names}
    )
    keywords = "".join(f", {dim}: int" for dim in dims)
    lines = ["return {"]
    for declared in compiled.model.params:
        lines.append(f"    {declared.name!r}: {_initial(declared)},")
    lines.append("}")
    shapes = ["return {", *(f"    {d.name!r}: {_shape(d)}," for d in compiled.model.params), "}"]
    signature = "".join(f"{dim}: int, " for dim in dims).removesuffix(", ")
    return "\n\n\n".join(
        [
            function(
                f"def init(seed: int = 0{', *' + keywords if dims else ''}) -> dict[str, Any]:",
                "Parameters by path, drawn as the graph says; each from a stream of its own.",
                lines,
            ),
            function(
                f"def _shapes({'*, ' if dims else ''}{signature}) -> dict[str, tuple[int, ...]]:",
                "The shapes of the parameters by path.",
                shapes,
            ),
        ]
    )


def _shape(declared: Declared) -> str:
    inside = ", ".join(map(str, declared.node.shape))
    return f"({inside}{',' if declared.node.rank == 1 else ''})"


def _initial(declared: Declared) -> str:
    initialiser = declared.initialiser or Initialiser("zeros")
    shape = _shape(declared)
    simple = {"zeros": "0", "ones": "1"}
    if initialiser.kind in simple or initialiser.kind == "constant":
        number = simple.get(initialiser.kind) or repr(initialiser.numbers[0])
        return f"np.full({shape}, {number}, FLOAT)" if declared.node.rank else f"FLOAT({number})"
    stream = f"_stream(seed, {declared.name!r})"
    if initialiser.kind in ("normal", "uniform"):
        one, other = initialiser.numbers
        drawn = f"{stream}.{initialiser.kind}({one!r}, {other!r}, {shape})"
    else:
        drawn = f"_{initialiser.kind}({stream}, {shape})"
    return f"np.asarray({drawn}, FLOAT)[()]"


def flatten(compiled: Compiled) -> str:
    dims = sorted(
        {name for d in compiled.model.params for axis in d.node.shape for name in axis.names}
    )
    keywords = ", *, " + ", ".join(f"{dim}: int" for dim in dims) if dims else ""
    handed = ", ".join(f"{dim}={dim}" for dim in dims)
    return "\n\n\n".join(
        [
            function(
                "def flatten(params: Mapping[str, ArrayLike]) -> Array:",
                "Parameters or gradients as one vector, in the order of PARAMETERS.",
                [
                    "return np.concatenate("
                    "[np.ravel(np.asarray(params[path], FLOAT)) for path in PARAMETERS])"
                ],
            ),
            function(
                f"def unflatten(vector: ArrayLike{keywords}) -> dict[str, Any]:",
                "The parameters that `flatten` made into this vector.",
                [f"return _split(vector, _shapes({handed}))"],
            ),
        ]
    )
