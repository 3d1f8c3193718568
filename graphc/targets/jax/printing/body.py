"""A program -> the text of a function's body; its loops are steps that `lax.scan` takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import DIM, Node
from graphc.ir.items import extent
from graphc.ir.kernel import Call, Put, View
from graphc.ir.loop import LOOP, body, limit, loop_arguments, loop_of, symbols_of
from graphc.ops.loops import element_in_step
from graphc.ops.shape.members import is_of_family
from graphc.plan.program import AnyStep, LoopStep, Program, Step
from graphc.records import replace
from graphc.source import Origin
from graphc.targets.comments import chained, place
from graphc.targets.jax.printing.expression import Writer
from graphc.targets.jax.printing.kernels import DTYPES
from graphc.targets.marks import mark, of_statement
from graphc.targets.numpy.printing.adjoints import adjoint
from graphc.targets.numpy.printing.segments import about
from graphc.targets.numpy.printing.text import WIDTH, beside, names_in, width
from graphc.targets.numpy.printing.written import with_spaces


def statements(program: Program, traced: Collection[str] = ()) -> list[str]:
    """Write the statements of a program, each with its comment, marked.

    `traced` are the indices of the loops around it whose steps are traced once.
    """
    writer = Writer(program.variables, frozenset(traced))
    lines: list[str] = []
    heading: Origin | None = None  # the statement of the graph that is quoted above
    steps: Sequence[AnyStep] = (*program.constants, *program.steps)
    for step in steps:
        quoted, heading = heading, None
        if isinstance(step, LoopStep):
            lines += of_statement(_loop(step, writer), step)
            continue
        assert isinstance(step, Step), "blocks are planned for other targets"
        if step.adjoints:
            written = adjoint(
                step,
                program,
                lambda one: writer.statements(one.target, one.node),
                writer.operand,
            )
        else:
            said = chained(step)
            if not said:
                heading = step.node.origin
                said = "" if heading == quoted else place(step.node)
            written = beside(writer.statements(step.target, step.node), said, mark(step.node))
        lines += of_statement(written, step)
    return lines


# ---- loops ---------------------------------------------------------------------------------------


def _loop(step: LoopStep, writer: Writer) -> list[str]:
    """Write the function of a step, and what takes all of them."""
    loop = loop_of(step.node)
    index, unrolled = loop.index, _by_shape(step.node)
    traced = writer.traced if unrolled else {*writer.traced, index}
    items = [(name, writer.expression(source)) for name, source in step.items]
    items += _elements(step, writer)
    own = {name for name, _ in items}
    inside = [one for one in step.body.steps if not (isinstance(one, Step) and one.target in own)]
    within = Writer(step.body.variables, frozenset(traced))
    lines = statements(replace(step.body, steps=tuple(inside)), traced)
    carries = [name for name, _ in step.carries]
    nexts = [*step.body.results.values()][: len(carries)]
    returned = [
        _several([within.array(one) for one in nexts]),
        _several([within.array(item) for _, item, _ in step.stacks]),
        *([within.array(step.until)] if step.until is not None else []),
    ]
    end = _laid_out("return ", returned, "")
    end = end if len(end) == 1 else _laid_out("return (", returned, ")")
    read = names_in([*lines, *end])
    taken = [(name, source) for name, source in items if name in read]
    if index in read or not taken or unrolled:
        taken.insert(0, (index, _positions(loop.first, loop.count, unrolled)))
    head = f"def _step_{index}(_carried: Any, _taken: Any) -> Any:"
    unpacked = [
        *([f"{_several(carries)} = _carried"] if carries else []),
        f"{_several([name for name, _ in taken])} = _taken",
    ]
    written = [
        *beside([head], about(step), mark(step.node)),
        *(f"    {line}" for line in (*unpacked, *lines, *end)),
    ]
    return [*written, *_taking(step, writer, [source for _, source in taken], unrolled)]


def _taking(step: LoopStep, writer: Writer, taken: Sequence[str], unrolled: bool) -> list[str]:
    """Write the statement that takes all steps: from what is carried to what comes of it."""
    loop = loop_of(step.node)
    function, steps = f"_step_{loop.index}", limit(step.node)
    ends = {carried: name for name, carried in step.ends}
    known = set(writer.variables.values())
    after = [ends.get(name, name if name in known else "_") for name, _ in step.carries]
    carried = _several([writer.array(initial) for _, initial in step.carries])
    target, sources = _several(after), _several(taken)
    if loop.until is not None:
        function = f"_until({function})"
        carried = f"({carried}, 0, False)"
        target = f"({target}, {step.steps or '_'}, _)"
    elif steps is not None:
        function = f"_within({function}, {writer.expression(steps)})"
        sources = f"({_positions(Dim.of(0), loop.count, unrolled)}, {sources})"
    stacked = _several([name for name, _, _ in step.stacks]) if step.stacks else "_"
    backwards = ["reverse=True"] if loop.backwards else []
    if unrolled:
        shapes = [
            f"jnp.zeros({with_spaces(whole.shape)}, {DTYPES[item.type.dtype]})"
            for _, item, whole in step.stacks
        ]
        arguments = [function, carried, sources, _several(shapes), *backwards]
        return _laid_out(f"{target}, {stacked} = _unroll(", arguments, ")")
    layers = ["unroll=True"] if _is_over_layers(step.node) else []
    arguments = [function, carried, sources, *backwards, *layers]
    return _laid_out(f"{target}, {stacked} = lax.scan(", arguments, ")")


def _laid_out(opening: str, items: Sequence[str], closing: str) -> list[str]:
    """Write items between brackets: on one line where they fit, else each on its own."""
    line = f"{opening}{', '.join(items)}{closing}"
    if width(line) <= WIDTH:
        return [line]
    return [opening, *(f"    {item}," for item in items), closing]


LAYERS = 32
"""Up to how many members of a family XLA sees each by itself: it copies none of them together."""


def _is_over_layers(node: Node) -> bool:
    """True if each step has parameters of its own, and there are not very many."""
    _, sources, _ = loop_arguments(node)
    count = loop_of(node).count.constant
    return count is not None and count <= LAYERS and any(map(is_of_family, sources))


def _several(texts: Sequence[str]) -> str:
    """Write a tuple."""
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def _positions(first: Dim, count: Dim, unrolled: bool) -> str:
    """Write the indices of all steps: of Python's own where each step is written out."""
    called = "range" if unrolled else "jnp.arange"
    if not unrolled and first.constant is None:  # that of an outer loop may be traced
        return f"{with_spaces(first)} + {called}({with_spaces(count)})"
    bounds = [first, first + count] if first.constant != 0 else [count]
    return f"{called}({', '.join(with_spaces(one) for one in bounds)})"


def _elements(step: LoopStep, writer: Writer) -> list[tuple[str, str]]:
    """List what a step reads at its position along an axis of an array, `x_t` of x, and the array
    with this axis in front. No step would read there if there were none, but JAX traces one."""
    loop = loop_of(step.node)
    _, sources, _ = loop_arguments(step.node)
    found: dict[str, str] = {}
    computed = {one.node for one in step.body.steps if isinstance(one, Step)}
    for element, source in zip(loop.elements, sources, strict=True):
        read = element_in_step(loop, element, source)
        if read in computed:
            whole = writer.expression(source)
            moved = f"jnp.moveaxis({whole}, {element.axis}, 0)" if element.axis else whole
            found[step.body.variables[read]] = moved
    return [*found.items()]


def _by_shape(node: Node) -> bool:
    """True if a step cannot be traced once for all: what it computes has other shapes in others."""
    return any(_depends(one, loop_of(node).index) for one in body(loop_of(node)))


def _depends(node: Node, index: str) -> bool:
    """True if a node needs the index as a number of Python's."""
    if index not in symbols_of(node):
        return False
    if any(index in n.symbols for n in node.shape):
        return True
    if node.op is LOOP:
        inner = loop_of(node)
        begins = index in inner.first.symbols and _by_shape(node)
        return (
            begins
            or index in inner.count.symbols
            or any(_depends(one, index) for one in body(inner))
        )
    kernel = node.op.kernel
    if node.op is DIM or (isinstance(kernel, Call) and kernel.name == "roll"):
        return False
    if isinstance(kernel, View | Put) and kernel.place == "items":
        return any(_is_strided(item, index) for item in node.attrs["items"])
    return True


def _is_strided(item: tuple[str, object], index: str) -> bool:
    """True if an item begins at the index and is neither one position nor all up to its end."""
    start, length, step = extent(item)
    if index in length.symbols:
        return True
    return item[0] == "slice" and index in start.symbols and step != 1
