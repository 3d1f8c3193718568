"""A program -> the text of a function's body."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.loop import RESULT, all_steps, limit, loop_of
from graphc.ir.results import ResultKey
from graphc.ops.elementwise.arithmetic import accumulate
from graphc.ops.shape.assemble import assemble, is_complete
from graphc.ops.shape.shaping import full_array
from graphc.ops.storage import Owners, owners, results_to_copy
from graphc.plan.buffers.report import block_width, left
from graphc.plan.program import BlockStep, LoopStep, Program, Step, Storage
from graphc.records import dataclass
from graphc.source import Origin
from graphc.targets.comments import chained, place
from graphc.targets.marks import mark, of_statement
from graphc.targets.numpy.printing.adjoints import adjoint
from graphc.targets.numpy.printing.expression import NO_NUMBERS, computed, expression, operand
from graphc.targets.numpy.printing.literals import literals_of
from graphc.targets.numpy.printing.outside import Told, first_reads, told
from graphc.targets.numpy.printing.places import name_storage
from graphc.targets.numpy.printing.scratch import new_array, within_scratch
from graphc.targets.numpy.printing.segments import about
from graphc.targets.numpy.printing.text import WIDTH, beside, function, names_in, width, write_list
from graphc.targets.numpy.printing.written import ATOM, DTYPES, show


def body(
    program: Program,
    in_loop: bool = False,
    in_block: bool = False,
    others: Collection[Program] = (),
    reads: Mapping[Node, Sequence[Told]] | None = None,
) -> list[str]:
    """Write the statements of a program, each with its comment, marked.

    Inside a loop nothing is dropped, since the next step takes the variables again, unless the
    program is sparing. `others` are programs that stand in other branches of the same function,
    `reads` the statements of the whole that are the first to take by an input of indices.
    """
    reads = first_reads(program) if reads is None else reads
    reads_as = partial(operand, variables=program.variables)
    lines: list[str] = []
    heading: Origin | None = None  # the statement of the graph that is quoted above
    shared = {name for one in (program, *others) for name in _in_blocks(one)}
    for step in program.steps:
        quoted, heading = heading, None
        if isinstance(step, LoopStep):
            lines += of_statement(_loop(step, program.variables, reads), step)
            lines += _dropped(step.frees, shared)
            continue
        if isinstance(step, BlockStep):
            lines += of_statement(_block(step, program, reads), step)
            lines += _dropped(step.frees, shared)
            continue
        numbers = literals_of(step) if in_loop or in_block else NO_NUMBERS
        if step.adjoints:
            computes = partial(computed, variables=program.variables, numbers=numbers)
            written = adjoint(step, program, computes, reads_as)
        else:
            said = chained(step)
            if not said:
                heading = step.node.origin
                said = "" if heading == quoted else place(step.node)
            written = beside(computed(step, program.variables, numbers), said, mark(step.node))
        if step.node in reads:
            written = told(written, reads[step.node])
        lines += of_statement(written, step)
        if program.sparing or not in_loop:
            lines += _dropped(step.frees, shared)
    return lines


def _in_blocks(program: Program) -> set[str]:
    """Collect the variables that functions of blocks read or fill."""
    blocks = [step for step in program.steps if isinstance(step, BlockStep)]
    reads = {program.variables[n] for step in blocks for n in step.reads if n in program.variables}
    return reads | {name for step in blocks for name, *_ in step.outputs}


def _dropped(names: Sequence[str], shared: Collection[str] = ()) -> list[str]:
    """`del a, b`; in brackets and over several lines where it is long.

    What is `shared` with functions that stand there keeps its name, and holds nothing.
    """
    kept = [f"{name} = _GONE" for name in names if name in shared]
    names = [name for name in names if name not in shared]
    line = f"del {', '.join(names)}"
    if not names or width(line) <= WIDTH:
        return [*([line] if names else []), *kept]
    return [*write_list("del (", names, ")"), *kept]


def _loop(
    step: LoopStep, variables: Mapping[Node, str], reads: Mapping[Node, Sequence[Told]]
) -> list[str]:
    """Write a loop: what it starts from, its steps, and what it hands on and saves in each."""
    loop = loop_of(step.node)
    grown = _grown(step)
    lines = [
        line
        for name, initial in step.carries
        for line in _start(name, initial, name in grown, variables)
    ]
    for name, spare, own, other in step.turns:
        lines += [f"np.copyto({own}, {name})", f"{name}, {spare} = {own}, {other}"]
    for name, item, stacked in step.stacks:
        if name in step.places:
            lines.append(f"{name} = {name_storage(step.places[name])}")
            if loop.limited or loop.until is not None:
                lines.append(f"{name}.fill(0)")
            continue
        make = "zeros" if loop.limited or loop.until is not None else "empty"
        made = f"np.{make}({show(stacked.shape)}, {DTYPES[item.type.dtype]})"
        if name in step.given:
            made = f"_rows({step.given[name]}, {show(stacked.shape)})"
        lines.append(f"{name} = {made}")
    if step.steps:
        lines.append(f"{step.steps} = 0")
    first, taken = loop.first, limit(step.node)
    last = str(first + loop.count)
    if taken is not None:
        start = "" if first.constant == 0 else f"{first} + "
        last = f"{start}{expression(taken, variables)}"
    bounds = last if first.constant == 0 else f"{first}, {last}"
    over = f"reversed(range({bounds}))" if loop.backwards else f"range({bounds})"
    inside = body(step.body, in_loop=True, reads=reads)
    position = Dim.symbol(loop.index) - first
    for name, item, _ in step.stacks:
        if name in step.written:
            continue
        inside.append(f"{name}[{position}] = {expression(item, step.body.variables)}")
    if step.until is not None:
        inside.append(f"_done = {expression(step.until, step.body.variables)}")
    inside += _handed_on(step)
    if step.body.sparing:
        inside += _dropped(left(step))
    if step.steps:
        inside.append(f"{step.steps} += 1")
    if step.until is not None:
        inside += ["if _done:", "    break"]
    lines += beside(_head(step, over, inside, variables), about(step), mark(step.node))
    ends = [f"{name} = {carried}" for name, carried in step.ends]
    if step.body.sparing:
        ends += _dropped([name for name, _ in step.carries if name not in variables.values()])
    return [*lines, *(f"    {line}" for line in inside or ["pass"]), *ends]


def _head(
    step: LoopStep, over: str, inside: Sequence[str], variables: Mapping[Node, str]
) -> list[str]:
    """Write the `for` of a loop: over its index, and over what each step has a position of."""
    loop = loop_of(step.node)
    read = names_in(inside)
    sources = [(name, expression(one, variables)) for name, one in step.items if name in read]
    sources += step.rows
    if loop.backwards:
        sources = [(name, f"{source}[::-1]") for name, source in sources]
    if not sources or loop.index in read:
        sources.insert(0, (loop.index, over))
    names, taken = ([*part] for part in zip(*sources, strict=True))
    if len(sources) == 1:
        return [f"for {names[0]} in {taken[0]}:"]
    line = f"for {', '.join(names)} in zip({', '.join(taken)}, strict=True):"
    if width(line) <= WIDTH:
        return [line]
    first = write_list("for (", names, ") in zip(")
    return [*first[:-1], *write_list(first[-1], [*taken, "strict=True"], "):")]


def _block(step: BlockStep, program: Program, reads: Mapping[Node, Sequence[Told]]) -> list[str]:
    """Write the function of a block, and its calls one after the other along the axis."""
    lines = []
    for name, node in {name: node for name, node, _, _ in step.outputs}.items():
        order = program.orders.get(node, tuple(range(node.rank)))
        made = new_array(node.shape, node.type.dtype, order)
        if name in step.given:
            made += f" if {step.given[name]} is None else {step.given[name]}"
        lines.append(f"{name} = {name_storage(step.places[name]) if name in step.places else made}")
        if node.op is assemble and not is_complete(node):
            lines.append(f"{name}.fill(0)")
    inside = body(step.body, in_block=True, reads=reads)
    for name, whole, node, items in step.outputs:
        part = Storage(name, items, whole.shape)
        if part not in step.written:
            written = expression(node, step.body.variables)
            inside.append(f"{name_storage(part)} = {written}")
    inside = within_scratch(step.body, inside)
    returned = [expression(node, step.body.variables) for _, _, node in step.totals]
    inside += write_list("return (", returned, ",)" if len(returned) == 1 else ")")
    lines += function(
        f"def {step.name}({step.start}: int, {step.size}: int) -> tuple[Any, ...]:",
        f"So many positions of an axis of {step.length}, from `{step.start}` on.",
        inside,
    ).split("\n")
    totals = [name for name, _, _ in step.totals]
    opening = f"{', '.join(totals)}{',' if len(totals) == 1 else ''} = " if totals else ""
    arguments = [step.name, str(step.length), _width(step), str(_calls(step.body))]
    return [*lines, f"{opening}_blocks({', '.join(arguments)})"]


def _calls(program: Program) -> Dim:
    """Count the calls of NumPy that a block is made of, with those of loops in it."""
    total = Dim.of(0)
    for step in program.steps:
        if isinstance(step, LoopStep):
            total += all_steps(_calls(step.body), loop_of(step.node))
        else:
            total += isinstance(step, Step) and bool(step.way)
    return total


def _width(step: BlockStep) -> str:
    """Write the scratch that one position takes, for as long as blocks get shorter by it."""
    written = ", ".join(map(str, block_width(step)))
    return f"min({written})" if len(block_width(step)) > 1 else written


def _handed_on(step: LoopStep) -> list[str]:
    """Write the next carried values: sums grow in place, the others change all at once."""
    variables = step.body.variables
    grown = _grown(step)
    spare = {name: other for name, other, _, _ in step.turns}
    lines, names, values = [], [], []
    for (name, _), node in zip(step.carries, step.body.results.values(), strict=False):
        written = _carried(node, variables)
        if name in grown:
            lines += [f"{name} += {expression(term, variables)}" for term in node.args[1:]]
        elif written != name:
            if name in spare:
                names.append(spare[name])
                values.append(name)
            names.append(name)
            values.append(written)
    return [*lines, f"{', '.join(names)} = {', '.join(values)}"] if names else lines


def _grown(step: LoopStep) -> set[str]:
    """Collect carried values to which steps only add, and of which they hand on nothing else."""
    variables = step.body.variables
    nexts = {
        name: node
        for (name, _), node in zip(step.carries, step.body.results.values(), strict=False)
    }
    sums = {
        name
        for name, node in nexts.items()
        if node.op is accumulate and node not in variables and variables.get(node.args[0]) == name
    }

    def read(name: str) -> bool:
        """True if a value is read once it has grown, or handed on as something else."""
        later = [*nexts[name].args[2:], *(node for other, node in nexts.items() if other != name)]
        return any(name in _mentioned(node, variables) for node in later)

    return {name for name in sums if not read(name)}


def _mentioned(node: Node, variables: Mapping[Node, str]) -> set[str]:
    """Collect the variables in a node's expression, and those whose memory they may share."""
    found: set[str] = set()
    known: dict[Node, Owners] = {}
    pending = [node]
    while pending:
        one = pending.pop()
        if one in variables:
            found.add(variables[one])
            found.update(variables[owner] for owner in owners(one, known) if owner in variables)
        else:
            pending.extend(one.args)
    return found


def _carried(node: Node, variables: Mapping[Node, str]) -> str:
    """Write what is carried: an array or a number of NumPy; a Python number has no dtype."""
    written = expression(node, variables)
    return f"{DTYPES[node.type.dtype]}({written})" if node.static else written


def _start(name: str, initial: Node, grows: bool, variables: Mapping[Node, str]) -> list[str]:
    """Write what a carried value starts from; what grows in place is an array of its own."""
    start = _carried(initial, variables)
    made = initial.op is full_array or (initial.args and initial.op is not RESULT)
    own = made and variables.get(initial) in (None, name)
    if grows and initial.rank and (not own or initial.op.view_of is not None):
        return [f"{name} = {operand(initial, variables).within(ATOM)}.copy()"]
    return [f"{name} = {start}"] if name != start else []


@dataclass(frozen=True, slots=True)
class Returned:
    """A result as it is returned: an expression, the same in parentheses where something follows
    that binds tighter, and whether it lies in memory of others."""

    text: str
    operand: str
    copied: bool

    def part(self, subscript: str = "") -> str:
        """Write it or a part of it, as an array of its own."""
        after = f"{subscript}{'.copy()' if self.copied else ''}"
        return f"{self.operand}{after}" if after else self.text


def returned(program: Program, taken: Iterable[Node] = ()) -> dict[ResultKey, Returned]:
    """Write the results, as copies where they are not the caller's alone."""
    copies = results_to_copy(program.results, taken)
    found: dict[ResultKey, Returned] = {}
    for key, node in program.results.items():
        text = expression(node, program.variables)
        if not node.rank:
            number = f"{DTYPES[node.type.dtype]}({text})"
            found[key] = Returned(number, number, copied=False)
            continue
        binding = operand(node, program.variables).within(ATOM)
        found[key] = Returned(text, binding, key in copies)
    return found
