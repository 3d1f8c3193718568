"""The extension of a module, as text in C, and what else is compiled with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from graphc.plan.module import Compiled
from graphc.targets.c.contract import CModule
from graphc.targets.extension.arguments import argument_readers
from graphc.targets.extension.calls import function_text, has_quick, pointer_type

NAME = "GC_MODULE"
"""What stands for the name of the extension."""

WIDE = "GC_WIDE"
"""The macro that is defined where functions are also compiled for wider vectors of x86-64."""

WIDER = {
    "wide": ("avx2", "fma"),
    "widest": ("avx2", "fma", "avx512f", "avx512vl", "avx512bw", "avx512dq"),
}
"""What these need of the machine, the best last."""

_ERRORS = {"ValueError": 0, "IndexError": 1, "LinAlgError": 2}
_NUMPY_SAYS = {
    "LinAlgError": {
        4: "Matrix is not positive definite",
        5: "Singular matrix",
        7: "SVD did not converge",
    },
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
        given = [*dims, *(pointer_type(module, a) for a in one.arguments)]
        given += [f"{'const ' if one.cache == 'read' else ''}void *"] if one.cache else []
        lines.append(f"    int (*call_{number})({', '.join([*given, 'void *'])});")
        lines.append(f"    size_t (*work_{number})({sizes});")
    if _has_cache(module):
        lines.append(f"    size_t (*cache)({sizes});")
    return "\n".join([*lines, "    const char *(*why)(int);", "} Calls;", ""])


_NO_MASKED_LOADS = """\
/* GCC 12 makes `c ? x[i] : 0` a masked load, and is wrong in the rest of a short loop. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-if-convert")
#endif
"""


def variant(module: CModule, suffix: str) -> str:
    """Write a file that compiles all functions under names with a suffix, and has their table."""
    names = [name for one in module.functions for name in (one.name, one.workspace)]
    names += [module.sizes] if _has_cache(module) else []
    names.append(module.why)
    return "\n".join(
        [
            _NO_MASKED_LOADS,
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
        *(f"extern const Calls gc_{name};" for name in WIDER),
        "#endif",
        "static const Calls *calls = &gc_plain;",
        "",
        _fixed(),
        *argument_readers(compiled, module),
        *_refusal(module),
    ]
    for number, one in enumerate(module.functions):
        lines += function_text(compiled, module, number, one)
    return "\n".join([*lines, *_initialisation(compiled, module)]) + "\n"


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
    return [
        *lines,
        "    default:",
        "        return refuse(0, calls->why(status));",
        "    }",
        "}",
        "",
    ]


def _if_supported(name: str, needs: Sequence[str]) -> list[str]:
    tests = " && ".join(f'__builtin_cpu_supports("{one}")' for one in needs)
    return [f"    if ({tests})", f"        calls = &gc_{name};"]


def _initialisation(compiled: Compiled, module: CModule) -> list[str]:
    """Write the table of methods and what makes the module."""
    rows = []
    for number, one in enumerate(module.functions):
        if has_quick(one):
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
        *(line for name, needs in WIDER.items() for line in _if_supported(name, needs)),
        "#endif",
        "    return PyModule_Create(&definition);",
        "}",
    ]
