"""Loop nests in C: the statements of a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.nests.nest import (
    Apply,
    Assign,
    Define,
    Element,
    For,
    Invoke,
    Kind,
    Leave,
    Number,
    Refuse,
    Size,
    Statement,
    Tree,
    Turns,
    Value,
    Work,
    counter_name,
)
from graphc.nests.places import offset
from graphc.nests.storage import Memory, Register, Storage
from graphc.records import dataclass, field
from graphc.targets.c.printing.comments import comment
from graphc.targets.c.printing.dims import integer
from graphc.targets.c.printing.elements import Words
from graphc.targets.c.printing.loops import APART, LANES, are_apart, folds_of

INDENT = "    "
GROWING = {"add": "+=", "multiply": "*="}


@dataclass(slots=True)
class Printer:
    """The lines of one function in the making."""

    storage: Storage
    words: Words
    lines: list[str] = field(default_factory=list)
    depth: int = 1
    declared: set[Value] = field(default_factory=set)
    last: str = ""

    def say(self, line: str, beside: str = "") -> None:
        """Write a line; what it comes from stands beside it, once for the lines from there."""
        read, self.words.before = self.words.before, []
        self.lines += [INDENT * self.depth + one for one in read]
        said = comment(beside) if beside != self.last else ""
        self.last = beside or self.last
        self.lines.append(INDENT * self.depth + line + (f"  {said}" if said else ""))

    # ---- loops -----------------------------------------------------------------------------------

    def trees(self, trees: list[Tree]) -> None:
        """Write the trees of a list, each behind the registers that begin there."""
        for position, tree in enumerate(trees):
            starting = self.storage.registers.get((id(trees), position), [])
            first = tree.statements if isinstance(tree, Work) else ()
            assigned = {
                one.to.value for one in first if isinstance(one, Assign) and one.where is None
            }
            for value in starting:
                if value not in assigned:
                    self.say(f"{self.register_type(value)} {value.name} = 0;")
                    self.declared.add(value)
            if isinstance(tree, For):
                self.loop(tree)
            else:
                for one in tree.statements:
                    self.statement(one)

    def loop(self, tree: For) -> None:
        folds = folds_of(tree, self.declared, self.storage)
        if folds:
            self.in_lanes(tree, folds)
            return
        i = self.words.names[counter_name(tree.depth)]
        self.counted(tree, f"{i} = 0", self.words.integer(tree.count))

    def in_lanes(self, tree: For, folds: Mapping[Value, str]) -> None:
        """Write a loop part by part, which folds each part into as many lanes as it has turns.

        So no turn waits for the one before, and whatever else it computes is vectorised too.
        """
        i, n = self.words.names[counter_name(tree.depth)], self.words.integer(tree.count)
        part, end, lane = map(self.words.fresh, ("part", "end", "lane"))
        lanes = {value: self.words.fresh(f"{value.name}_lanes") for value in folds}
        self.say("{")
        self.depth += 1
        for value, name in folds.items():
            start = " = {0}" if name == "add" else ""
            self.say(f"{self.words.type_of(value.dtype)} {lanes[value]}[{LANES}]{start};")
        begun = [f"{made}[{lane}] = {v.name};" for v, made in lanes.items() if folds[v] != "add"]
        if begun:
            self.say(f"for (int {lane} = 0; {lane} < {LANES}; {lane}++) {{")
            self.lines += [INDENT * (self.depth + 1) + line for line in begun]
            self.say("}")
        self.say(f"for (ptrdiff_t {part} = 0; {part} < {n}; {part} += {LANES}) {{")
        self.depth += 1
        self.say(f"const ptrdiff_t {end} = {n} - {part} < {LANES} ? {n} : {part} + {LANES};")
        self.words.lanes = {value: f"{made}[{i} - {part}]" for value, made in lanes.items()}
        self.counted(tree, f"{i} = {part}", end)
        self.words.lanes = {}
        self.depth -= 1
        self.say("}")
        for value, name in folds.items():
            kind = value.dtype
            wide = "_wide" if kind == "wide" else ""
            whole = Number(self.words.call(f"gc_{name}{wide}_lanes", lanes[value]), kind)
            self.assign(Assign(Element(value), Apply(name, (Element(value), whole), kind, kind)))
        self.depth -= 1
        self.say("}")

    def counted(self, tree: For, start: str, end: str) -> None:
        """Write the loop itself, from a place on to another."""
        i = self.words.names[counter_name(tree.depth)]
        if are_apart(tree, self.storage):
            self.words.called.add(APART)
            self.say(APART)
        self.say(f"for (ptrdiff_t {start}; {i} < {end}; {i}++) {{")
        self.inside(tree.body)

    def inside(self, body: list[Tree]) -> None:
        self.depth += 1
        self.trees(body)
        self.depth -= 1
        self.say("}")

    def turns(self, one: Turns) -> None:
        """Write a loop of the language."""
        t = self.words.names.get(one.index, one.index)
        count = self.words.operand(one.count)
        first = self.words.integer(one.first)
        plus = "" if one.first.constant == 0 else f"{first} + "
        if one.backwards:
            self.say(
                f"for (ptrdiff_t {t} = {plus}{count} - 1; {t} >= {first}; {t}--) {{", one.comment
            )
        else:
            self.say(f"for (ptrdiff_t {t} = {first}; {t} < {plus}{count}; {t}++) {{", one.comment)
        self.inside(one.body)

    # ---- statements ------------------------------------------------------------------------------

    def statement(self, one: Statement) -> None:
        match one:
            case Assign():
                self.assign(one)
            case Define(symbol, expr):
                self.say(f"const ptrdiff_t {symbol} = {self.words.expr(expr)};")
            case Refuse(fails, status):
                self.say(f"if ({self.words.expr(fails)}) return {status};")
            case Leave(done):
                self.say(f"if ({self.words.expr(done)}) break;")
            case Invoke():
                self.invoke(one)
            case Turns():
                self.turns(one)

    def assign(self, one: Assign) -> None:
        value, expr = one.to.value, one.expr
        if one.where is not None:
            to, condition = self.words.place(one.to), self.words.expr(one.where)
            self.say(f"if ({condition}) {to} = {self.words.expr(expr)};", one.comment)
            return
        place = self.storage.places[value]
        if isinstance(place, Register) and value not in self.declared:
            self.declared.add(value)
            kind = "const " if place.once else ""
            text = self.words.expr(expr)
            self.say(f"{kind}{self.register_type(value)} {value.name} = {text};", one.comment)
            return
        to = self.words.place(one.to)
        grows = isinstance(expr, Apply) and expr.args[0] == one.to and expr.of != "int"
        if isinstance(expr, Apply) and grows and expr.name in GROWING:
            self.say(f"{to} {GROWING[expr.name]} {self.words.expr(expr.args[1])};", one.comment)
        else:
            self.say(f"{to} = {self.words.expr(expr)};", one.comment)

    def register_type(self, value: Value) -> str:
        return "int" if value.dtype == "bool" else self.words.type_of(value.dtype)

    def invoke(self, one: Invoke) -> None:
        operands = [
            self.words.integer(each.dim) if isinstance(each, Size) else self.pointer(each)
            for each in one.operands
        ]
        called = self.words.call(one.function, *operands)
        if one.of_status:
            self.say("{", one.comment)
            self.say(f"{INDENT}const int gc_status = {called};")
            self.say(f"{INDENT}if (gc_status) return gc_status;")
            self.say("}")
        elif one.into is not None:
            expr = self.words.place(one.into)
            place = self.storage.places[one.into.value]
            if isinstance(place, Register) and one.into.value not in self.declared:
                self.declared.add(one.into.value)
                expr = f"const {self.register_type(one.into.value)} {expr}"
            self.say(f"{expr} = {called};", one.comment)
        else:
            self.say(f"{called};", one.comment)

    def pointer(self, one: Element) -> str:
        """Write where an element is."""
        place = self.storage.places[one.value]
        assert isinstance(place, Memory), one
        array, lies = array_of(one, place, self.words)
        return array if lies.constant == 0 else f"{array} + {self.words.integer(lies)}"


def array_of(one: Element, place: Memory, words: Words) -> tuple[str, Dim]:
    """Return the array that an element is in, and where in it."""
    if not one.value.members:
        return place.array, place.offset(one.index)
    first, *rest = one.index
    shape: Sequence[Dim] = one.value.shape[1:]
    return f"{place.array}[{words.integer(first)}]", offset(rest, shape)


def placed(storage: Storage, words: Words, one: Element) -> str:
    """Write an element: a register, or an element of an array."""
    place = storage.places[one.value]
    if isinstance(place, Register):
        return words.lanes.get(one.value) or place.value.name
    array, lies = array_of(one, place, words)
    return f"{array}[{words.integer(lies)}]"


Types = Mapping[Kind, str]


def room(size: Dim, type: str, names: Mapping[str, str]) -> str:
    """Write the bytes that an array takes in a workspace."""
    text = integer(size, names)
    return f"gc_room(({text})*(ptrdiff_t)sizeof({type}))"
