"""How an extension calls a function of C and makes its results, as text in C."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphc.ir.types import Dtype, Shape
from graphc.plan.module import Compiled
from graphc.targets.c.contract import DIM, SIZE, Argument, CFunction, CModule
from graphc.targets.c.printing.dims import bound, integer
from graphc.targets.extension.arguments import dim_names, element_type, read_dims
from graphc.targets.numpy.printing.families import count

QUICK = 50_000
"""Multiply-adds from which on a function lets go of the interpreter's lock."""

SMALL = 512
"""Pointers that stand on the stack; more are allocated."""


def pointer_type(module: CModule, one: Argument) -> str:
    """Write the type of an argument."""
    kind = f"{'' if one.written else 'const '}{module.type_of(one.dtype)} *"
    return f"{kind}const *" if one.members else kind


def has_quick(one: CFunction) -> bool:
    """True if the function takes only inputs, parameters and dims: as they are given, perhaps."""
    return one.cache != "read" and not one.kind.given


class _Kinds:
    """A table of results or parts of the cache, and the sizes of all, as text."""

    def __init__(self, name: str, module: CModule, shapes: Iterable[tuple[Dtype, Shape, int]]):
        rows: list[str] = []
        sizes: list[str] = []
        self.name, self.count = name, 0
        self.inside = self.numbers = 0
        for dtype, shape, members in shapes:
            rows.append(f"{{{element_type(dtype)}, {len(shape)}, {members}, {len(sizes)}}}")
            sizes += [integer(axis, dim_names(module)) for axis in shape]
            self.count += 1
            self.inside += members
            self.numbers += 0 if shape else max(members, 1)
        inside = ", ".join(rows) or "{0, 0, 0, 0}"
        self.lines = [
            f"    static const Result {name}[] = {{{inside}}};",
            f"    const npy_intp {name}_sizes[] = {{{', '.join(sizes) or '0'}}};",
        ]


def function_text(compiled: Compiled, module: CModule, number: int, one: CFunction) -> list[str]:
    """Write a function: how it is run, and how it is called from Python."""
    backward = one.cache == "read"
    more = [a for a in one.given if a.role in ("cotangent", "tangent")]
    tangents = sum(a.members for a in more)
    results = _Kinds("results", module, ((a.dtype, a.shape, a.members) for a in one.results))
    dims = list(dim_names(module).values())
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
        "        goto failed;",
    ]
    given_dims = ", ".join(dims)
    if one.cache:
        lines += [
            f"    const size_t total = calls->cache({given_dims});",
            "    if (total == SIZE_MAX) {",
            f"        refuse_status({SIZE.number});",
            "        goto failed;",
            "    }",
        ]
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
    call += [f"({pointer_type(module, a)})({where[a.name]})" for a in one.arguments]
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
            f"    if (put_parts(found, {results.count}, parts, {parts.count}, parts_sizes, "
            "block) < 0)",
            "        goto failed;",
        ]
    first = results.count + extra - len(dims)
    for k, dim in enumerate(dims):
        lines.append(f"    PyTuple_SET_ITEM(found, {first + k}, PyLong_FromSsize_t({dim}));")
    lines += [
        "    goto done;",
        "failed:",
        "    Py_CLEAR(found);",
        "    if (!checked) {  /* the checks, which come next, may have a better reason */",
        "        PyErr_Clear();",
        "        found = Py_NewRef(Py_None);",
        "    }",
        "done:",
        "    Py_XDECREF(block);",
    ]
    if heap:
        lines += ["    PyMem_RawFree(inside);", "    PyMem_RawFree(numbers);"]
    lines += ["    return found;", "}", ""]
    return [*lines, *_methods(compiled, module, number, one, more, tangents)]


def _unlocked(
    compiled: Compiled, module: CModule, one: CFunction, call: str, backward: bool
) -> list[str]:
    """Write a call: a long one without the interpreter's lock, its arguments kept alive."""
    lines = [
        f"    const int is_long = {bound(one.derived.flops, dim_names(module))} > {QUICK}.0;",
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
    if has_quick(one):
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
            f"{element_type(argument.dtype)}, kept);",
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
            *read_dims("values", len(module.cache), module),
            "    return 0;",
            "}",
            "",
        ]
        lines = [*reader, *lines]
    return lines
