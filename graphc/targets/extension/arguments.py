"""How an extension reads arguments, as text in C: at once, or after they are checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphc.elaborate.names.model import Declared
from graphc.ir.types import Dtype
from graphc.plan.module import Compiled
from graphc.plan.signature import Binding
from graphc.targets.c.contract import CModule
from graphc.targets.c.functions.sizes import condition_lines
from graphc.targets.c.printing.dims import factor, integer
from graphc.targets.numpy.printing.families import count, slices


def element_type(dtype: Dtype) -> str:
    return {"float": "GC_FLOAT", "int": "NPY_INT64", "bool": "NPY_BOOL"}[dtype]


def dim_names(module: CModule) -> dict[str, str]:
    """Name the dims apart from all that an extension has of its own."""
    return {symbol: f"dim_{number}" for number, symbol in enumerate(module.dims)}


def argument_readers(compiled: Compiled, module: CModule) -> list[str]:
    """Write what reads the arguments that all functions but `backward` have."""
    begin = compiled.begin
    declared = [*begin.inputs, *begin.params]
    members = sum(len(d.family) for d in declared if d.family)
    lines = [
        "/* The arguments of a call: dims, pointers to elements, the objects that hold them. */",
        "typedef struct {",
        f"    npy_intp dims[{max(len(module.dims), 1)}];",
        f"    const void *arrays[{max(len(declared), 1)}];",
        f"    const void *members[{max(members, 1)}];",
        f"    Number numbers[{max(len(declared) + members, 1)}];",
        f"    PyObject *objects[{max(len(declared) + members, 1)}];",
        "} Given;",
        "",
        f"enum {{ object_count = {count(declared)} }};",
        "static PyObject *paths; /* of the parameters, in their order */",
        "",
        "/* Do the conditions of the file hold? Sizes may divide by dims that these rule out. */",
        "static int conditions_hold(const Given *given) {",
        *(
            f"    const npy_intp {name} = given->dims[{number}];"
            for number, name in enumerate(dim_names(module).values())
        ),
        *(
            line
            for status in module.statuses
            if status.condition is not None
            for line in condition_lines(dim_names(module), status.condition, "0")
        ),
        "    (void)given;",
        "    return 1;",
        "}",
        "",
        "/* Are the arguments of the right kinds and shapes as they are? */",
        "static int read_quick(PyObject *const *args, Py_ssize_t count, Given *given) {",
        f"    if (count != {bool(begin.params) + len(begin.inputs) + len(begin.keywords)})",
        "        return 0;",
    ]
    objects, inside = 0, 0
    first = int(bool(begin.params))
    if begin.params:
        lines += [
            "    if (!PyDict_CheckExact(args[0]) ||",
            f"        PyDict_GET_SIZE(args[0]) != {count(begin.params)})",
            "        return 0;",
        ]
    places = _places(begin.params)
    for number, one in enumerate(declared):
        rank, kind = one.type.rank, element_type(one.type.dtype)
        test = "number_of({o}, " + kind + ", &given->numbers[{n}])"
        if rank:
            test = "elements_of({o}, " + f"{kind}, {rank})"
        if one.family is None:
            source = f"args[{first + number}]"
            lines.append(f"    PyObject *array_{number} = " + (
                f"{source};" if number < len(begin.inputs) else
                f"PyDict_GetItemWithError(args[0], PyTuple_GET_ITEM(paths, {places[one.name][0]}));"
            ))  # fmt: skip
            lines += [
                f"    if (array_{number} == NULL || (given->arrays[{number}] = "
                f"{test.format(o=f'array_{number}', n=objects)}) == NULL)",
                "        return 0;",
                f"    given->objects[{objects}] = array_{number};",
            ]
            objects += 1
            continue
        start, step = places[one.name]
        lines += [
            f"    given->arrays[{number}] = &given->members[{inside}];",
            f"    for (int m = 0; m < {len(one.family)}; m++) {{",
            f"        PyObject *path = PyTuple_GET_ITEM(paths, {start} + {step}*m);",
            "        PyObject *member = PyDict_GetItemWithError(args[0], path);",
            f"        if (member == NULL || (given->members[{inside} + m] = "
            f"{test.format(o='member', n=f'{objects} + m')}) == NULL)",
            "            return 0;",
            f"        given->objects[{objects} + m] = member;",
            "    }",
            f"    PyObject *array_{number} = given->objects[{objects}];",
        ]
        objects += len(one.family)
        inside += len(one.family)
    lines += _bind_dims(compiled, module, declared)
    lines += ["    if (!conditions_hold(given))", "        return 0;"]
    first = 0
    for number, one in enumerate(declared):
        lines += _fits(compiled, module, number, one, first)
        first += count([one])
    lines += ["    return 1;", "}", "", *_read_checked(declared, module)]
    return lines


def _places(params: Sequence[Declared]) -> dict[str, tuple[int, int]]:
    """Return where the path of a parameter stands; of a family the first, and the step."""
    found: dict[str, tuple[int, int]] = {}
    families = slices(params)
    number = 0
    for one in params:
        if one.family is None:
            found[one.name] = (number, 1)
        else:
            start, _, step = (families[one.name] + ":").split(":")[:3]
            found[one.name] = (int(start), int(step or 1))
        number += count([one])
    return found


def _bind_dims(compiled: Compiled, module: CModule, declared: Sequence[Declared]) -> list[str]:
    """Write how dims are found: by name, or from the length of an axis."""
    begin = compiled.begin
    names = dim_names(module)
    numbers = {one.name: number for number, one in enumerate(declared)}
    lines = []
    place = int(bool(begin.params)) + len(begin.inputs)
    order = {dim: number for number, dim in enumerate(module.dims)}
    for number, dim in enumerate(begin.keywords):
        lines += [
            f"    const npy_intp {names[dim]} = dim_of(args[{place + number}]);",
            f"    if ({names[dim]} < 0)",
            "        return 0;",
            f"    given->dims[{order[dim]}] = {names[dim]};",
        ]
    for one in begin.bindings:
        lines += _bind(one, numbers[one.source.name], names)
        lines.append(f"    given->dims[{order[one.dim]}] = {names[one.dim]};")
    return lines


def _bind(one: Binding, number: int, names: Mapping[str, str]) -> list[str]:
    size = f"length(array_{number}, {one.axis})"
    if one.plain:
        return [f"    const npy_intp {names[one.dim]} = {size};"]
    rest = f"({size} - {factor(one.offset, names)})"
    return [
        f"    if ({rest} < 0 || {rest}%{one.factor} != 0)",
        "        return 0;",
        f"    const npy_intp {names[one.dim]} = {rest}/{one.factor};",
    ]


def _fits(compiled: Compiled, module: CModule, number: int, one: Declared, first: int) -> list[str]:
    """Write the comparison of a shape; of a family the objects begin at `first`."""
    own = {b.axis for b in compiled.begin.bindings if b.source == one and b.plain}
    axes = list(enumerate(one.shape))
    array = f"array_{number}"
    if one.family is None:
        tests = [
            f"length({array}, {axis}) != {integer(size, dim_names(module))}"
            for axis, size in axes
            if axis not in own
        ]
        return [f"    if ({' || '.join(tests)})", "        return 0;"] if tests else []
    tests = [f"length(member, {axis}) != {integer(size, dim_names(module))}" for axis, size in axes]
    if not tests:
        return []
    return [
        f"    for (int m = 0; m < {len(one.family)}; m++) {{",
        f"        PyObject *member = given->objects[{first} + m];",
        f"        if ({' || '.join(tests)})",
        "            return 0;",
        "    }",
    ]


def _read_checked(declared: Sequence[Declared], module: CModule) -> list[str]:
    """Write what reads the tuple that `_enter` returns."""
    lines = [
        "/* Read arguments that have been checked; what is converted is kept in a list. */",
        "static int read_checked(PyObject *values, Given *given, PyObject *kept) {",
    ]
    inside = objects = 0
    for number, one in enumerate(declared):
        kind = element_type(one.type.dtype)
        if one.family is None:
            lines += [
                f"    given->arrays[{number}] = "
                f"converted(PyTuple_GET_ITEM(values, {number}), {kind}, kept);",
                f"    if (given->arrays[{number}] == NULL)",
                "        return -1;",
                f"    given->objects[{objects}] = PyTuple_GET_ITEM(values, {number});",
            ]
            objects += 1
            continue
        lines += [
            f"    given->arrays[{number}] = &given->members[{inside}];",
            f"    for (int m = 0; m < {len(one.family)}; m++) {{",
            f"        PyObject *member = PyList_GetItem(PyTuple_GET_ITEM(values, {number}), m);",
            f"        const void *at = member ? converted(member, {kind}, kept) : NULL;",
            "        if (at == NULL)",
            "            return -1;",
            f"        given->members[{inside} + m] = at;",
            f"        given->objects[{objects} + m] = member;",
            "    }",
        ]
        objects += len(one.family)
        inside += len(one.family)
    lines += read_dims("values", len(declared), module)
    return [*lines, "    return 0;", "}", "", *_too_large(module)]


def _too_large(module: CModule) -> list[str]:
    """Write the test of dims with which sizes cannot be computed."""
    tests = [f"given->dims[{k}] > ((npy_intp)1 << 40)" for k in range(len(module.dims))]
    return [
        "static int sizes_too_large(const Given *given) {",
        "    (void)given;",
        f"    return {' || '.join(tests) or '0'};",
        "}",
        "",
    ]


def read_dims(source: str, first: int, module: CModule) -> list[str]:
    lines = []
    for number in range(len(module.dims)):
        lines += [
            f"    given->dims[{number}] = "
            f"PyLong_AsSsize_t(PyTuple_GET_ITEM({source}, {first + number}));",
            f"    if (given->dims[{number}] == -1 && PyErr_Occurred())",
            "        return -1;",
        ]
    return lines
