"""Operations that rewriting makes for the fast module, each of them one call of NumPy.

They are made after calculus, so none of them has a derivative.
"""

from __future__ import annotations

from graphc.ir.dims import Dim
from graphc.ir.graph import Node, Op
from graphc.ir.kernel import Attr, Call, Elementwise, Put, Reduce, Take, X
from graphc.ir.types import Mismatch, Shape, Type
from graphc.ops.define.axis_maps import batch_axes
from graphc.ops.define.families import constant, elementwise, normal_axes
from graphc.records import replace

LIMITS = {
    "BITS": {"float64": "np.int64", "float32": "np.int32"},
    "LARGEST": {"float64": "1.7976931348623157e308", "float32": "3.4028234663852886e38"},
    "EXPONENT": {"float64": "709.0", "float32": "88.0"},
}
"""Names that a module defines where it uses them, by its dtype: the integers of the size of its
floats, the largest finite float, and an exponent at which `exp` does not overflow."""

limit: Op = constant(
    "limit",
    infer=lambda *, name: Type("float"),
    kernel=Call("limit", Attr("name")),
    signature="",
    public=False,
    doc="A number that depends on the dtype of the module.",
)
LARGEST = {"name": "LARGEST"}
EXPONENT = {"name": "EXPONENT"}

at_least_one: Op = elementwise(
    "at_least_one",
    kernel=Elementwise("maximum", X, 1),
    partials=None,
    flops=0,
    public=False,
    prepare=lambda args: args,
    doc="A count of elements, or 1 where there are none.",
)
square: Op = elementwise(
    "square", kernel=Elementwise("square"), partials=None, public=False, doc="x times x."
)
kept: Op = elementwise(
    "kept",
    kernel=Elementwise("kept"),
    partials=None,
    signature="x, mask",
    public=False,
    doc="x where a mask is true, else 0: the bits as integers, times 0 or 1.",
)


def _row_dots(a: Type, b: Type) -> Type:
    if a != b:
        raise Mismatch("E301", f"rows of products have one shape, not {a} and {b}")
    return a.with_shape(a.shape[:-1])


def _products(node: Node) -> Dim:
    return node.args[0].type.size


vecdot: Op = replace(
    constant(
        "vecdot",
        infer=_row_dots,
        kernel=Call("vecdot"),
        signature="a, b",
        public=False,
        axes=batch_axes(1, 1, result=0),
        doc="Sums of products over the last axis.",
    ),
    flops=_products,
)
vdot: Op = replace(
    constant(
        "vdot",
        infer=lambda a, b: Type("float"),
        kernel=Call("vdot"),
        signature="a, b",
        public=False,
        doc="The sum of the products of all elements.",
    ),
    flops=_products,
)


def _peaks(x: Type, *, axis: tuple[int, ...] | None, keepdims: bool) -> Type:
    axes = normal_axes(axis, x.rank, "peak")
    kept = [1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes]
    return x.with_shape(kept)


peak: Op = constant(
    "peak",
    infer=_peaks,
    kernel=Reduce("max", initial="lowest"),
    signature="",
    public=False,
    doc="Largest element along axes, or the lowest finite number where that is larger.",
)

entries: Op = constant(
    "entries",
    infer=lambda x, rows, columns: Type("float", rows.shape),
    kernel=Take("entries"),
    signature="x, rows, columns",
    public=False,
    doc="Elements of a matrix by the indices of their rows and columns.",
)


def _whole(values: Type, rows: Type, columns: Type, *, shape: Shape) -> Type:
    return Type("float", tuple(map(Dim.of, shape)))


entries_placed: Op = constant(
    "entries_placed",
    infer=_whole,
    kernel=Put("entries"),
    signature="",
    public=False,
    doc="Zeros, but for the elements of a matrix at these rows and columns.",
)
entries_added: Op = constant(
    "entries_added",
    infer=lambda x, rows, columns, values: x,
    kernel=Put("entries", add=True, onto=True),
    signature="x, rows, columns, values",
    public=False,
    doc="A matrix with something added at these rows and columns, no two of them the same.",
)
