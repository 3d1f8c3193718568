"""The table of operations: what each is called with, computes and prints, told from itself."""

from __future__ import annotations

import ast
import re
from functools import cache
from inspect import getsource
from types import ModuleType

from graphc import ops
from graphc.compile.stages import Compilation, Options, compile_text
from graphc.ir.graph import arguments_first
from graphc.ops import FUNCTIONS, Function
from graphc.plan.lower import made
from graphc.plan.program import AnyStep, Program
from graphc.records import dataclass, replace
from graphc.source import GraphError
from graphc.targets.marks import without_marks
from graphc.targets.numpy.functions.record import bytes_of
from graphc.targets.numpy.printing.body import body, returned
from graphc.views.reference.samples import Sample, sample

SHAPES = {
    "elementwise": "axes align from the right, a literal 1 stretches; the result has their shape",
}
FAMILIES = {
    "elementwise": "elementwise: the Jacobian is diagonal",
    "linear": "linear: the pullback is the transposed map",
    "bilinear": "bilinear: linear in each argument",
    "general": "general: a pullback of its own",
    "constant": "constant: nothing flows back",
    "composition": "composition of other operations",
}

CONVENTIONS = {
    "relu": "relu(0): derivative 0. relu(nan) is nan.",
    "leaky_relu": "leaky_relu(0): derivative is the slope.",
    "max": "Ties share the cotangent evenly; nothing to compare is an error.",
    "min": "Ties share the cotangent evenly; nothing to compare is an error.",
    "maximum": "Ties share the cotangent evenly. maximum(nan, 1) is nan.",
    "minimum": "Ties share the cotangent evenly. minimum(nan, 1) is nan.",
    "resize": "At an edge its element counts for those beyond. Of two elements equally near the "
    "first is the nearest.",
    "grid_sample": "At a centre the derivative by the grid is that of the piece after it; by the "
    "nearest element it is 0.",
    "maxpool": "Ties in a window share the cotangent evenly.",
    "abs": "abs(0): derivative 0, of every order; abs(x)**2 is x**2.",
    "sign": "The derivative is 0 everywhere.",
    "floor": "The derivative is 0 everywhere.",
    "bce_logits": "At logit 0 and target 0 the derivative by the logit is 1/2.",
    "clip": "At a bound the derivative by x is 1.",
    "sqrt": "sqrt(0): derivative inf.",
    "log": "log(0) is -inf with derivative inf; log(-1) is nan with derivative -1.",
    "norm": "norm(0): derivative 0, of every order; norm(x)**2 is smooth there.",
    "std": "std of a constant: derivative 0, of every order; std(x)**2 is smooth there.",
    "power": "0**0 is 1 with derivatives (0, 0); 0**(1/2) has derivative inf, 0**1 has 1, "
    "0**-1 has -inf. Where the base is 0 and the exponent not negative, the exponent counts as "
    "constant. A constant exponent computes no logarithm.",
    "where": "What is not chosen gets a cotangent of 0; where its own derivative is infinite, "
    "0 * inf is nan: make both branches finite.",
    "logsumexp": "[1000, 1000]: derivative [1/2, 1/2]; all -inf: value -inf, derivative 0; "
    "of nothing: -inf.",
    "softmax": "All -inf: nan. [1e4, 0]: (1, 0).",
    "log_softmax": "[-1e4, 0]: (-1e4, 0), exactly.",
    "sigmoid": "Finite and without a warning at ±1000.",
    "softplus": "Finite and without a warning at ±1000.",
    "prod": "No division: of [0, 2, 3] the derivative is [6, 0, 0]; of nothing the value is 1.",
    "cumprod": "No division: of [0, 2, 3] the derivative of the sum is [9, 0, 0].",
    "xlogy": "xlogy(0, 0) is 0. At (0, y) the mixed second derivative is 1/y.",
    "atan2": "atan2(0, 0): derivatives (0, 0), of every order.",
    "arctan2": "arctan2(0, 0): derivatives (0, 0), of every order.",
    "hypot": "hypot(0, 0): derivatives (0, 0), of every order.",
    "mod": "mod(6, 3): derivatives (1, -2).",
    "sum": "Of nothing: 0.",
    "mean": "Of nothing: nan.",
    "take": "For an index that occurs twice, cotangents add.",
    "take_along_axis": "For an index that occurs twice, cotangents add.",
    "pick": "For a label that occurs twice in a column, each row has its own cotangent.",
    "scatter_add": "For an index that occurs twice, updates add.",
    "put": "For an index that occurs twice, the last value stays, row by row; the others have "
    "derivative 0.",
    "put_add": "For an index that occurs twice, values add.",
    "ceil": "The derivative is 0 everywhere.",
    "round": "Halves go to the even integer; the derivative is 0 everywhere.",
    "heaviside": "At x = 0 the value is h, and the derivative by h is 1.",
    "elu": "elu(0): derivative 1; from the second on those from below. Finite and without a "
    "warning at ±1000.",
    "celu": "celu(0): derivative 1; from the second on those from below. Finite and without a "
    "warning at 1000.",
    "silu": "Finite and without a warning at ±1000.",
    "gelu": "Finite and without a warning at ±1000.",
    "gelu_tanh": "Finite and without a warning at ±1000.",
    "mish": "Finite and without a warning at ±1000.",
    "log_sigmoid": "log_sigmoid(-1000) is -1000 with derivative 1.",
    "tanh": "tanh(1000) is 1 with derivative 0.",
    "softsign": "softsign(0): derivative 1, second derivative 0.",
    "hardtanh": "At a bound the derivative is 1.",
    "logaddexp": "[1000, 1000]: derivatives (1/2, 1/2); both -inf: value -inf, derivatives (0, 0).",
    "logcumsumexp": "Where all so far is -inf the value is -inf and the derivative 0.",
    "xlog1py": "xlog1py(0, -1) is 0. At (0, y) the mixed second derivative is 1/(1 + y).",
    "cbrt": "cbrt(0): derivative inf.",
    "logit": "logit(0) is -inf with derivative inf.",
    "arcsin": "arcsin(1): derivative inf.",
    "arccosh": "arccosh(1): derivative inf.",
    "arcsinh": "Right at 1e30, whose square float32 does not hold.",
    "erf": "erf(inf) is 1 with derivative 0.",
    "erfc": "erfc(30) has underflowed, without a warning.",
    "ndtr": "ndtr(±inf): 0 and 1 with derivative 0. Right to 1e-308 in the tail.",
    "log_ndtr": "Finite and without a warning down to -1e150, with derivative -x there.",
    "ndtri": "ndtri(0) is -inf and ndtri(1) inf, with derivative inf; beyond nan.",
    "erfinv": "erfinv(±1) is ±inf with derivative inf; beyond nan.",
    "erfcinv": "erfcinv(0) is inf and erfcinv(2) -inf, with derivative -inf; beyond nan.",
    "gammainc": "gammainc(a, 0) is 0 and gammainc(a, inf) 1; nan where a is not positive or x is "
    "negative.",
    "gammaincc": "For a below 1 and x below 1 it is a difference from 1: its relative error grows "
    "as 1 / a.",
    "betainc": "betainc(a, b, 0) is 0 and betainc(a, b, 1) is 1; nan where a or b is not positive "
    "or x is outside [0, 1].",
    "j0": "j0(±inf): 0 with derivative 0.",
    "j1": "j1(0): derivative 1/2.",
    "i0": "i0(0): derivative 0, second derivative 1/2.",
    "i1": "i1(0): derivative 1/2.",
    "i0e": "i0e(0): derivative 0, as that of |x|; at 1e30 it has not underflowed.",
    "k0": "k0(0) is inf with derivative -inf; below nan.",
    "k1": "k1(0) is inf with derivative -inf; below nan.",
    "lgamma": "lgamma(0) is inf; right between the poles below 0.",
    "quantile": "Of equal elements the first in order get the cotangent; at an element the "
    "derivative by q is that of the piece after it. A q outside [0, 1] counts as the nearer end, "
    "with derivative 0. Among nan it is nan.",
    "top_k": "Of equal elements the first come first, and get the cotangents. nan is the largest.",
    "interp": "At a point of the table the derivative by x is that of the piece after it, at the "
    "last that of the piece before it; outside it is 0. Of two points at one place the second "
    "counts from there on.",
    "cummax": "Ties so far share the cotangent evenly.",
    "cummin": "Ties so far share the cotangent evenly.",
    "put_along_axis": "Of several values for one element the last counts, and gets its cotangent.",
    "add_along_axis": "For an index that occurs twice, values add.",
    "gather_nd": "For a position that occurs twice, cotangents add.",
    "scatter_nd": "Of several values for one position the last counts, and gets its cotangent.",
    "scatter_nd_add": "For a position that occurs twice, values add.",
    "segment_max": "A segment without a row is -inf. Ties share the cotangent evenly.",
    "segment_min": "A segment without a row is inf. Ties share the cotangent evenly.",
    "huber": "At ±delta the derivative is ±delta, the second 1.",
    "sort": "Equal elements stay in their order, and so do their cotangents.",
    "median": "Among nan it is nan, and so is the derivative by the elements in the middle.",
    "einsum": "An index twice in one operand is a diagonal.",
    "eigvalsh": "Of equal eigenvalues each moves as its own eigenvector has it: right for what "
    "does not tell them apart, as their sum; second derivatives are nan there.",
    "eigh": "The signs of eigenvectors, and the basis where eigenvalues are equal, are those of "
    "LAPACK: only what does not depend on them, as v[:, :k] @ v[:, :k].T, has a derivative. "
    "Where eigenvalues are equal second derivatives are nan.",
    "svdvals": "Of equal singular values each moves as its own vectors have it: right for what "
    "does not tell them apart; second derivatives are nan there. At 0 the derivative is one of "
    "those on either side.",
    "svd": "The signs of singular vectors, and the basis where values are equal, are those of "
    "LAPACK: only what does not depend on them has a derivative. Vectors of a value 0 have an "
    "infinite one, or nan, unless the matrix is square.",
    "qr": "The signs are those of LAPACK. Where the first columns depend on each other there is "
    "no derivative: r is singular, and NumPy says so.",
    "pinv": "Singular values below max(M, N) times the rounding error count as 0. The derivative "
    "is that of matrices of the same rank.",
    "lstsq": "Where columns depend on each other the smallest y counts; the derivative is that of "
    "matrices of the same rank.",
    "expm": "Right to rounding for large and for non-normal matrices: no eigenvectors are taken.",
    "det": "At singular matrices the derivative is the cofactors, 0 below rank n - 1; the second "
    "is right there too, the third is nan.",
}
"""What is said of the hard points, by name; each is a test."""


@dataclass(frozen=True, slots=True)
class Row:
    """An operation as a list shows it."""

    name: str
    signature: str
    doc: str
    module: str
    family: str


@dataclass(frozen=True, slots=True)
class Details:
    """What one sample call compiles to; `bytes` are its arguments and results in float64."""

    row: Row
    sample: Sample
    types: str
    shapes: str
    value: tuple[str, ...]
    pullback: tuple[str, ...]
    multiply_adds: str
    bytes: str
    conventions: str


def rows() -> list[Row]:
    """List all operations, in the order of their declaration."""
    return [row(function) for function in FUNCTIONS.values()]


def row(function: Function) -> Row:
    family = function.op.structure if function.op is not None else "composition"
    return Row(function.name, function.signature, function.doc, module_of(function), family)


def module_of(function: Function) -> str:
    """Find the file of graphc/ops that declares a function: its name is the first argument."""
    if function.op is None:
        return function.build.__module__.rpartition(".")[2]
    return _declarations()[function.op.name]


@cache
def _declarations() -> dict[str, str]:
    """Map each operation to the file that declares it."""
    found: dict[str, str] = {}
    for name in ops.__all__:
        module = getattr(ops, name)
        if isinstance(module, ModuleType):
            declared = r'^(?:\w+(?:: Op)? = )?\w+\(\s*"(\w+)"'
            for called in re.findall(declared, getsource(module), re.MULTILINE):
                found.setdefault(called, name)
    return found


def details(function: Function) -> Details:
    """Return the row with the code of a sample call."""
    shown = sample(function)
    result = _compile(shown)
    with result.open():
        value, pullback = _statements(result)
    shapes = [f"{name}: {type}" for name, type in shown.inputs.items()]
    results = ", ".join(str(output.type) for output in result.model.outputs)
    said = f"{', '.join(shapes)} -> {results}" if shapes else f"-> {results}"
    kind = row(function).family
    return Details(
        row(function),
        shown,
        said,
        SHAPES.get(kind, ""),
        value,
        pullback,
        str(result.programs.forward.flops),
        str(bytes_of([d.node for d in (*result.model.inputs, *result.model.outputs)], 8)),
        CONVENTIONS.get(function.name, ""),
    )


def _compile(shown: Sample) -> Compilation:
    """Compile the sample with its pullback, or its value alone where it has none."""
    names = ", ".join(shown.outputs)
    clauses = [f"value {names}"]
    if shown.differentiable:
        clauses.insert(0, f"vjp {names} wrt {', '.join(shown.differentiable)}")
    for clause in clauses[:-1]:
        try:
            return compile_text(shown.graph, options=Options(derive=(clause,)))
        except GraphError:
            continue
    return compile_text(shown.graph, options=Options(derive=(clauses[-1],)))


def _statements(result: Compilation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Split the derived function into the statements of the value and of the pullback."""
    program = result.programs.derived[0].program
    values = [node for key, node in program.results.items() if key.kind == "value"]
    forward = set(arguments_first(values))
    steps: dict[bool, list[AnyStep]] = {True: [], False: []}
    for step in program.steps:
        steps[not forward.isdisjoint(made(step))].append(replace(step, frees=()))
    value, pullback = (_print(replace(program, steps=tuple(some))) for some in steps.values())
    for key, found in returned(program).items():
        name = f"d_{key.by}" if key.kind == "gradient" else key.of
        if found.text != name:
            (pullback if key.kind == "gradient" else value).append(f"{name} = {found.text}")
    return tuple(value), tuple(pullback)


def _print(program: Program) -> list[str]:
    """Print the statements of a program, without their comments."""
    written = without_marks("\n".join(body(program))).text
    return [ast.unparse(statement) for statement in ast.parse(written).body]
