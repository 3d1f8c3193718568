"""The extension of a module, as text in C: arguments taken apart, results made, functions called."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from graphc.elaborate.names.model import Declared
from graphc.ir.dims import Dim
from graphc.ir.types import Dtype, Shape
from graphc.plan.module import Compiled
from graphc.plan.signature import Binding
from graphc.targets.c.contract import DIM, SIZE, Argument, CFunction, CModule, Status
from graphc.targets.c.printing.dims import bound, factor, integer
from graphc.targets.numpy.printing.families import count, slices

NAME = "GC_MODULE"
"""What stands for the name of the extension."""

QUICK = 50_000
"""Multiply-adds from which on a function lets go of the interpreter's lock."""

SMALL = 512
"""Pointers that stand on the stack; more are allocated."""

WIDE = "GC_WIDE"
"""The macro that is defined where functions are also compiled for wider vectors."""

_ERRORS = {"ValueError": 0, "IndexError": 1, "LinAlgError": 2}
_NUMPY_SAYS = {
    "LinAlgError": {4: "Matrix is not positive definite", 5: "Singular matrix"},
    "ValueError": {6: "zero-size array to reduction operation which has no identity"},
}


@cache
def _fixed() -> str:
    return (Path(__file__).parent / "glue.c").read_text(encoding="utf-8")


def calls_header(module: CModule) -> str:
    """Write the table of the functions, of which there is one for each width of vectors."""
    dims = ["ptrdiff_t"] * len(module.dims)
    sizes = ", ".join(dims) or "void"
    lines = ["#include <stddef.h>", "#include <stdint.h>", "", "typedef struct {"]
    for number, one in enumerate(module.functions):
        given = [*dims, *(_type(module, a) for a in one.arguments)]
        given += [f"{'const ' if one.cache == 'read' else ''}void *"] if one.cache else []
        lines.append(f"    int (*call_{number})({', '.join([*given, 'void *'])});")
        lines.append(f"    size_t (*work_{number})({sizes});")
    if _has_cache(module):
        lines.append(f"    size_t (*cache)({sizes});")
    return "\n".join([*lines, "    const char *(*why)(int);", "} Calls;", ""])


def variant(module: CModule, suffix: str) -> str:
    """Write a file that compiles all functions under names with a suffix, and has their table."""
    names = [name for one in module.functions for name in (one.name, one.workspace)]
    names += [module.sizes] if _has_cache(module) else []
    names.append(module.why)
    return "\n".join(
        [
            *(f"#define {name} {name}_{suffix}" for name in names),
            '#include "net.c"',
            '#include "calls.h"',
            f"extern const Calls gc_{suffix};",
            f"const Calls gc_{suffix} = {{{', '.join(names)}}};",
            "",
        ]
    )


def _has_cache(module: CModule) -> bool:
    return any(one.cache for one in module.functions)


def _type(module: CModule, one: Argument) -> str:
    kind = f"{'' if one.written else 'const '}{module.type_of(one.dtype)} *"
    return f"{kind}const *" if one.members else kind


def glue(compiled: Compiled, module: CModule) -> str:
    """Write the extension."""
    real = "NPY_DOUBLE" if module.dtype == "float64" else "NPY_FLOAT"
    lines = [
        "#define PY_SSIZE_T_CLEAN",
        "#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION",
        "#include <Python.h>",
        "#include <numpy/arrayobject.h>",
        "#include <numpy/arrayscalars.h>",
        "#include <string.h>",
        '#include "calls.h"',
        "",
        f"#define GC_FLOAT {real}",
        "",
        "extern const Calls gc_plain;",
        f"#ifdef {WIDE}",
        "extern const Calls gc_wide;",
        "#endif",
        "static const Calls *calls = &gc_plain;",
        "",
        _fixed(),
        *_arguments(compiled, module),
        *_refusal(module),
    ]
    for number, one in enumerate(module.functions):
        lines += _run(compiled, module, number, one)
    return "\n".join([*lines, *_initialisation(compiled, module)]) + "\n"


# ---- arguments -----------------------------------------------------------------------------------


def _kind(dtype: Dtype) -> str:
    return {"float": "GC_FLOAT", "int": "NPY_INT64", "bool": "NPY_BOOL"}[dtype]


def _arguments(compiled: Compiled, module: CModule) -> list[str]:
    """Write what reads the arguments that all functions but `backward` have."""
    begin = compiled.begin
    declared = [*begin.inputs, *begin.params]
    members = sum(len(d.family) for d in declared if d.family)
    lines = [
        "/* The arguments of a call: dims, pointers to elements, and the objects that hold them. */",
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
        rank, kind = one.type.rank, _kind(one.type.dtype)
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
    for number, one in enumerate(declared):
        lines += _fits(compiled, module, number, one)
    lines += ["    return 1;", "}", "", *_read_checked(declared, module)]
    return lines


def _places(params: Sequence[Declared]) -> dict[str, tuple[int, int]]:
    """Return where the path of a parameter stands, or those of a family: the first, and the step."""
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


def _dim_names(module: CModule) -> dict[str, str]:
    return dict(module.dims)


def _bind_dims(compiled: Compiled, module: CModule, declared: Sequence[Declared]) -> list[str]:
    """Write how dims are found: by name, or from the length of an axis."""
    begin = compiled.begin
    names = _dim_names(module)
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


def _bind(one: Binding, number: int, names: dict[str, str]) -> list[str]:
    axis = one.axis - (1 if one.source.family else 0)
    size = f"length(array_{number}, {axis if one.source.family is None else one.axis})"
    if one.plain:
        return [f"    const npy_intp {names[one.dim]} = {size};"]
    rest = f"({size} - {factor(one.offset, names)})"
    return [
        f"    if ({rest} < 0 || {rest}%{one.factor} != 0)",
        "        return 0;",
        f"    const npy_intp {names[one.dim]} = {rest}/{one.factor};",
    ]


def _fits(compiled: Compiled, module: CModule, number: int, one: Declared) -> list[str]:
    """Write the comparison of a shape."""
    own = {b.axis for b in compiled.begin.bindings if b.source == one and b.plain}
    axes = list(enumerate(one.type.shape))
    array = f"array_{number}"
    if one.family is None:
        tests = [
            f"length({array}, {axis}) != {integer(size, module.dims)}"
            for axis, size in axes
            if axis not in own
        ]
        return [f"    if ({' || '.join(tests)})", "        return 0;"] if tests else []
    tests = [f"length(member, {axis}) != {integer(size, module.dims)}" for axis, size in axes]
    if not tests:
        return []
    first = f"(PyObject **)given->objects + {array}_at"
    return [
        f"    for (int m = 0; m < {len(one.family)}; m++) {{",
        f"        PyObject *member = ({first})[m];",
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
        kind = _kind(one.type.dtype)
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
    lines += _read_dims("values", len(declared), module)
    return [*lines, "    return 0;", "}", ""]


def _read_dims(source: str, first: int, module: CModule) -> list[str]:
    lines = []
    for number in range(len(module.dims)):
        lines += [
            f"    given->dims[{number}] = "
            f"PyLong_AsSsize_t(PyTuple_GET_ITEM({source}, {first + number}));",
            f"    if (given->dims[{number}] == -1 && PyErr_Occurred())",
            "        return -1;",
        ]
    return lines


# ---- functions -----------------------------------------------------------------------------------


def _refusal(module: CModule) -> list[str]:
    """Write the function that raises the error of a status."""
    lines = [
        "/* Raise the error of a status. */",
        "static PyObject *refuse_status(int status) {",
        "    switch (status) {",
    ]
    for one in module.statuses:
        text = _NUMPY_SAYS.get(one.error, {}).get(one.number)
        if one.error != "ValueError" or text:
            said = f'"{text}"' if text else "calls->why(status)"
            lines += [
                f"    case {one.number}:",
                f"        return refuse({_ERRORS[one.error]}, {said});",
            ]
    return [*lines, "    default:", "        return refuse(0, calls->why(status));", "    }", "}", ""]


class _Kinds:
    """A table of results or parts of the cache, and the sizes of all, as text."""

    def __init__(self, name: str, module: CModule, shapes: Iterable[tuple[Dtype, Shape, int]]):
        rows: list[str] = []
        sizes: list[str] = []
        self.name, self.count = name, 0
        self.inside = self.numbers = 0
        for dtype, shape, members in shapes:
            rows.append(f"{{{_kind(dtype)}, {len(shape)}, {members}, {len(sizes)}}}")
            sizes += [integer(axis, module.dims) for axis in shape]
            self.count += 1
            self.inside += members
            self.numbers += 0 if shape else max(members, 1)
        inside = ", ".join(rows) or "{0, 0, 0, 0}"
        self.lines = [
            f"    static const Result {name}[] = {{{inside}}};",
            f"    const npy_intp {name}_sizes[] = {{{', '.join(sizes) or '0'}}};",
        ]


def _run(compiled: Compiled, module: CModule, number: int, one: CFunction) -> list[str]:
    """Write a function: how it is run, and how it is called from Python."""
    backward = one.cache == "read"
    more = [a for a in one.given if a.role in ("cotangent", "tangent")]
    tangents = sum(a.members for a in more)
    results = _Kinds("results", module, ((a.dtype, a.shape, a.members) for a in one.results))
    dims = list(module.dims.values())
    lines = [
        f"/* ---- {one.function} {'-' * (92 - len(one.function))} */",
        "",
        f"static Kept kept_{number};",
        "",
        f"static PyObject *run_{number}(const Given *given, const void *const *more, "
        "PyObject *places, PyObject *read, int checked) {",
        *(f"    const npy_intp {dim} = given->dims[{k}];" for k, dim in enumerate(dims)),
        *(f"    (void){dim};" for dim in dims),
        "    (void)given, (void)more, (void)read;",
        *results.lines,
    ]
    parts = _parts(compiled, module)
    if one.cache:
        lines += parts.lines
    extra = (parts.count if one.cache == "made" else 0) + len(dims)
    extra = len(dims) if backward else extra
    heap = results.inside + results.numbers > SMALL
    n_at, n_inside, n_numbers = (max(n, 1) for n in (
        results.count, results.inside, results.numbers))  # fmt: skip
    lines += [
        "    if (sizes_too_large(given))",
        f"        return checked ? refuse_status({SIZE.number}) : Py_NewRef(Py_None);",
        f"    void *at[{n_at}];",
    ]
    if heap:
        lines += [
            f"    void **inside = PyMem_RawMalloc({n_inside} * sizeof *inside);",
            f"    Number *numbers = PyMem_RawCalloc({n_numbers}, sizeof *numbers);",
            "    if (inside == NULL || numbers == NULL) {",
            "        PyMem_RawFree(inside);",
            "        PyMem_RawFree(numbers);",
            "        return PyErr_NoMemory();",
            "    }",
        ]
    else:
        lines += [f"    void *inside[{n_inside}];", f"    Number numbers[{n_numbers}];"]
    lines += [
        "    PyObject *block = NULL;",
        "    void *work = NULL;",
        f"    PyObject *found = make_results(results, {results.count}, {extra}, results_sizes, "
        "places, at, inside, numbers);",
        "    if (found == NULL)",
        "        goto done;",
    ]
    given_dims = ", ".join(dims)
    if one.cache:
        lines.append(f"    const size_t total = calls->cache({given_dims});")
    if one.cache == "made":
        lines += [
            "    npy_intp total_size = (npy_intp)total;",
            "    block = PyArray_SimpleNew(1, &total_size, NPY_UINT8);",
        ]
    elif backward:
        lines.append(f"    block = gather(read, parts, {parts.count}, parts_sizes, total);")
    if one.cache:
        lines += ["    if (block == NULL)", "        goto failed;"]
    call = [*dims]
    sources = {"input": 0, "parameter": 0}
    plain = [a for a in one.arguments if a.role in sources]
    where = {a.name: f"given->arrays[{k}]" for k, a in enumerate(plain)}
    where |= {a.name: f"more[{k}]" for k, a in enumerate(more)}
    where |= {a.name: f"at[{k}]" for k, a in enumerate(one.results)}
    call += [f"({_type(module, a)})({where[a.name]})" for a in one.arguments]
    if one.cache:
        call.append("PyArray_DATA((PyArrayObject *)block)")
    call.append("work")
    lines += [
        f"    const size_t size = calls->work_{number}({given_dims});",
        "    if (size == SIZE_MAX) {",
        f"        refuse_status({SIZE.number});",
        "        goto failed;",
        "    }",
        f"    if (size && (work = take_block(&kept_{number}, size)) == NULL) {{",
        "        PyErr_NoMemory();",
        "        goto failed;",
        "    }",
        *_unlocked(compiled, module, one, f"calls->call_{number}({', '.join(call)})", backward),
        "    if (size)",
        f"        give_block(&kept_{number}, work, size);",
    ]
    lines += [
        "    if (status != 0) {",
        "        Py_CLEAR(found);",
        f"        if (!checked && (status == {DIM.number} || status == {SIZE.number} "
        "|| status >= 16))",
        "            found = Py_NewRef(Py_None);",
        "        else",
        "            refuse_status(status);",
        "        goto done;",
        "    }",
        f"    if (put_numbers(found, results, {results.count}, at) < 0)",
        "        goto failed;",
    ]
    if one.cache == "made":
        lines += [
            f"    if (put_parts(found, {results.count}, parts, {parts.count}, parts_sizes, block) < 0)",
            "        goto failed;",
        ]
    first = results.count + extra - len(dims)
    for k, dim in enumerate(dims):
        lines.append(f"    PyTuple_SET_ITEM(found, {first + k}, PyLong_FromSsize_t({dim}));")
    lines += ["    goto done;", "failed:", "    Py_CLEAR(found);", "done:", "    Py_XDECREF(block);"]
    if heap:
        lines += ["    PyMem_RawFree(inside);", "    PyMem_RawFree(numbers);"]
    lines += ["    return found;", "}", ""]
    return [*lines, *_methods(compiled, module, number, one, more, tangents)]


def _unlocked(
    compiled: Compiled, module: CModule, one: CFunction, call: str, backward: bool
) -> list[str]:
    """Write a call: a long one without the interpreter's lock, its arguments kept alive."""
    work = bound(one.derived.flops, module.dims)
    lines = [
        f"    const int is_long = {work} > {QUICK}.0;",
        "    PyThreadState *state = NULL;",
        "    if (is_long) {",
    ]
    objects = "" if backward else "object_count"
    if objects:
        lines += [
            f"        for (int k = 0; k < {objects}; k++)",
            "            Py_INCREF(given->objects[k]);",
        ]
    lines += [
        "        state = PyEval_SaveThread();",
        "    }",
        f"    const int status = {call};",
        "    if (is_long) {",
        "        PyEval_RestoreThread(state);",
    ]
    if objects:
        lines += [
            f"        for (int k = 0; k < {objects}; k++)",
            "            Py_DECREF(given->objects[k]);",
        ]
    return [*lines, "    }"]


def _parts(compiled: Compiled, module: CModule) -> _Kinds:
    """Return the table of the parts of the cache; that of a family has its members in a list."""
    families = {d.node: len(d.family) for d in compiled.model.params if d.family}
    rows = []
    for part, node in zip(module.cache, compiled.cached, strict=False):
        members = families.get(node, 0)
        rows.append((part.dtype, part.shape[1:] if members else part.shape, members))
    return _Kinds("parts", module, rows)


def _frame(compiled: Compiled) -> tuple[str, str, str]:
    """Write how the arguments' record is declared, reached and let go: on the stack if small."""
    declared = [*compiled.begin.inputs, *compiled.begin.params]
    if count(declared) <= SMALL:
        return "    Given frame, *given = &frame;", "", ""
    return (
        "    Given *given = PyMem_RawMalloc(sizeof *given);",
        "    if (given == NULL)\n        return PyErr_NoMemory();",
        "    PyMem_RawFree(given);",
    )


def _methods(
    compiled: Compiled,
    module: CModule,
    number: int,
    one: CFunction,
    more: Sequence[Argument],
    tangents: int,
) -> list[str]:
    backward = one.cache == "read"
    declare, check, free = _frame(compiled)
    lines: list[str] = []
    if not backward and not one.kind.given:
        lines += [
            f"static PyObject *quick_{number}(PyObject *module, PyObject *const *args, "
            "Py_ssize_t count) {",
            "    (void)module;",
            declare,
            *([check] if check else []),
            "    PyObject *found = NULL;",
            "    if (read_quick(args, count, given))",
            f"        found = run_{number}(given, NULL, NULL, NULL, 0);",
            "    else if (!PyErr_Occurred())",
            "        found = Py_NewRef(Py_None);",
            *([free] if free else []),
            "    return found;",
            "}",
            "",
        ]
    lines += [
        f"static PyObject *checked_{number}(PyObject *module, PyObject *const *args, "
        "Py_ssize_t count) {",
        "    (void)module;",
        "    if (count != 3 || !PyTuple_Check(args[0]) || !PyTuple_CheckExact(args[1]))",
        '        return refuse(0, "this function is the module\'s own");',
        declare,
        *([check] if check else []),
        "    PyObject *kept = PyList_New(0), *found = NULL;",
        f"    const void *more[{max(len(more), 1)}], *inside[{max(tangents, 1)}];",
        "    (void)inside;",
        "    if (kept == NULL)",
        "        goto done;",
    ]
    if backward:
        lines.append("    if (read_cache(args[0], given) < 0)")
    else:
        lines.append("    if (read_checked(args[0], given, kept) < 0)")
    lines.append("        goto done;")
    start = 0
    for k, argument in enumerate(more):
        lines += [
            f"    more[{k}] = converted(PyTuple_GET_ITEM(args[1], {k}), "
            f"{_kind(argument.dtype)}, kept);",
            f"    if (more[{k}] == NULL)",
            "        goto done;",
        ]
        if argument.members:
            last = "(PyArrayObject *)PyList_GET_ITEM(kept, PyList_GET_SIZE(kept) - 1)"
            lines += [
                f"    for (int m = 0; m < {argument.members}; m++)",
                f"        inside[{start} + m] = (const char *)more[{k}]"
                f" + m*(PyArray_NBYTES({last})/{argument.members});",
                f"    more[{k}] = &inside[{start}];",
            ]
            start += argument.members
    read = "args[0]" if backward else "NULL"
    lines += [
        "    PyObject *places = args[2] == Py_None ? NULL : args[2];",
        f"    found = run_{number}(given, more, places, {read}, 1);",
        "done:",
        "    Py_XDECREF(kept);",
        *([free] if free else []),
        "    return found;",
        "}",
        "",
    ]
    if backward:
        reader = [
            "static int read_cache(PyObject *values, Given *given) {",
            "    (void)values, (void)given;",
            *_read_dims("values", len(module.cache), module),
            "    return 0;",
            "}",
            "",
        ]
        lines = [*reader, *lines]
    return lines


def _initialisation(compiled: Compiled, module: CModule) -> list[str]:
    """Write the table of methods and what makes the module."""
    rows = []
    for number, one in enumerate(module.functions):
        if one.cache != "read" and not one.kind.given:
            rows.append((one.function, f"quick_{number}"))
        rows.append((f"_{one.function}", f"checked_{number}"))
    methods = [
        f'    {{"{name}", (PyCFunction)(void (*)(void)){function}, METH_FASTCALL, NULL}},'
        for name, function in rows
    ]
    return [
        "static PyObject *set_paths(PyObject *module, PyObject *given) {",
        "    (void)module;",
        "    if (!PyTuple_CheckExact(given))",
        '        return refuse(0, "this function is the module\'s own");',
        "    Py_XSETREF(paths, Py_NewRef(given));",
        "    Py_RETURN_NONE;",
        "}",
        "",
        "static PyMethodDef methods[] = {",
        '    {"_paths", set_paths, METH_O, NULL},',
        *methods,
        "    {NULL, NULL, 0, NULL},",
        "};",
        "",
        "static struct PyModuleDef definition = {",
        f'    PyModuleDef_HEAD_INIT, "{NAME}", NULL, -1, methods, NULL, NULL, NULL, NULL}};',
        "",
        f"PyMODINIT_FUNC PyInit_{NAME}(void) {{",
        "    import_array();",
        f"#ifdef {WIDE}",
        "    __builtin_cpu_init();",
        '    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))',
        "        calls = &gc_wide;",
        "#endif",
        "    return PyModule_Create(&definition);",
        "}",
    ]
