"""Calls: arguments are bound to the parameters of an operation or to the ports of a block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from graphc.elaborate.calls.operations import Positional, apply, check_names
from graphc.elaborate.calls.ports import (
    bind_ports,
    check_compile_time,
    check_results,
    is_compile_time,
)
from graphc.elaborate.calls.rules import apply_rules
from graphc.elaborate.names.definitions import define
from graphc.elaborate.names.hints import argument_remedy, method_remedy, name_remedy
from graphc.elaborate.names.scope import (
    BlockValue,
    Context,
    Entry,
    InstanceValue,
    Namespace,
    Scope,
    Silent,
    callable_names,
    find_callable,
    mistake,
    record_callable,
)
from graphc.elaborate.values.values import describe_value, to_node
from graphc.ir.graph import Node, stamped
from graphc.ops import FUNCTIONS, Function
from graphc.source import Origin, Span, did_you_mean
from graphc.syntax import tree

NAMED_WITHIN = "a node in mid-chain is named with `as`: `... as {} -> ...`"

Given = tuple[tree.Ident | None, Any, tree.Argument]


def evaluate_call(
    context: Context,
    scope: Scope,
    expr: tree.Call,
    given: Sequence[Given],
    feeds: str | None,
    flow: Sequence[Any] = (),
) -> tuple[Any, InstanceValue | None]:
    """Evaluate a call; returns also the instance where a block is called.

    `flow` comes before the arguments; `feeds` names a block that has no `as` name. A call with
    an `as` name defines it.
    """
    callee = _callee(context, scope, expr, in_chain=bool(flow))
    positional = [Positional(value, expr.span, None) for value in flow]
    named: dict[str, tuple[Any, tree.Argument]] = {}
    misplaced: Span | None = None
    for ident, value, argument in given:
        if ident is None:
            misplaced = misplaced or (argument.span if named else None)
            positional.append(Positional(value, argument.span, argument.value))
        elif ident.text in named:
            raise mistake("E209", f"argument `{ident.text}` is given twice", argument.span)
        else:
            named[ident.text] = (value, argument)
    name = expr.name.text if expr.name else feeds
    instance: InstanceValue | None = None
    if isinstance(callee, Function):
        check_names(scope, callee, named, expr.span)
    if misplaced is not None:
        raise mistake("E209", "an argument by position after one by name", misplaced)
    if isinstance(callee, Function):
        value = apply(context, scope, callee, positional, named, expr.span)
    else:
        value, instance = _use(context, scope, callee, positional, named, name, expr.span)
    if expr.name:
        value = define(context, scope, expr.name, value, instance)
    return value, instance


def _callee(
    context: Context, scope: Scope, expr: tree.Call, in_chain: bool = False
) -> Function | BlockValue | InstanceValue:
    """Return what a call calls: an operation, a block, or a named use of a block once more."""
    function = expr.function
    if isinstance(function, tree.Member) and isinstance(function.value, tree.Name):
        module = scope.space.modules.get(function.value.text)
        if module is not None:
            return _block_of(module, function)
    root = function.value if isinstance(function, tree.Member) else function
    if isinstance(root, tree.Name) and root.text in scope.space.broken:
        raise Silent
    if not isinstance(function, tree.Name):
        known = isinstance(root, tree.Name) and scope.find(root.text) is not None
        raise mistake(
            "E208",
            "only a block, an operation or an instance is called",
            function.span,
            method_remedy(expr, known),
        )
    entry = scope.find(function.text)
    if entry is None or (function.text in FUNCTIONS and not _is_callable(entry)):
        found = find_callable(context, scope, function.text)
        if found is None:
            close = name_remedy(function.text) or did_you_mean(
                function.text, {*callable_names(context, scope), *scope.visible()}
            )
            if in_chain and not expr.arguments:
                close = close or NAMED_WITHIN.format(function.text)
            close = close or "`graphc ops` lists the operations there are"
            raise mistake(
                "E200", f"unknown block or operation `{function.text}`", function.span, close
            )
        record_callable(context, function.span, found)
        return found
    entry.require_sound()
    context.read.add(function.text)
    context.occurrences[function.span] = entry
    if entry.instance:
        return entry.instance
    if isinstance(entry.value, Function | BlockValue | InstanceValue):
        return entry.value
    if isinstance(entry.value, Node):
        help = NAMED_WITHIN.format(function.text)
        if expr.arguments:
            inside = ", ".join(argument.span.text for argument in expr.arguments)
            help = f"elements stand in square brackets: `{function.text}[{inside}]`"
        raise mistake("E208", f"`{function.text}` is a tensor, not an operation", expr.span, help)
    raise mistake(
        "E208", f"`{function.text}` is {describe_value(entry.value)}, not an operation", expr.span
    )


def _is_callable(entry: Entry) -> bool:
    """True if a name stands for a function itself: a node that is named as an operation does not,
    though it may come from a block that can be used again."""
    return isinstance(entry.value, Function | BlockValue | InstanceValue)


def _block_of(module: Namespace, function: tree.Member) -> BlockValue:
    """Look up a block of an imported file."""
    found = module.blocks.get(function.name.text)
    if found is None:
        near = did_you_mean(function.name.text, module.blocks)
        message = f"`{function.name.text}` is not a block of {module.source.name}"
        raise mistake("E602", message, function.span, near)
    return found


# ---- blocks --------------------------------------------------------------------------------


def _use(
    context: Context,
    scope: Scope,
    callee: BlockValue | InstanceValue,
    positional: Sequence[Positional],
    named: dict[str, tuple[Any, tree.Argument]],
    name: str | None,
    span: Span,
) -> tuple[Any, InstanceValue]:
    """Apply a block to arguments: its body is elaborated in a scope of its own."""
    again = isinstance(callee, InstanceValue)
    block = callee.block if isinstance(callee, InstanceValue) else callee
    with context.using(block.tree, span):
        preset = dict(callee.arguments) if isinstance(callee, InstanceValue) else {}
        tensors, arguments = _bind(context, block.tree, positional, named, preset, span)
        if isinstance(callee, InstanceValue):
            path = callee.path
        else:
            path = None if name is None else scope.join(name)
        unnamed = (scope.unnamed or span) if path is None else None
        reusing = again or scope.reusing
        return instantiate(context, block, tensors, arguments, path, unnamed, span, reusing)


def declare_instance(
    context: Context, scope: Scope, name: str, expr: tree.Call, given: Sequence[Given]
) -> InstanceValue:
    """Bind the compile-time arguments of `instance name = block(…)`; nothing is applied."""
    callee = _callee(context, scope, expr)
    if not isinstance(callee, BlockValue):
        raise mistake("E208", "an instance is made of a block", expr.span)
    for _, value, argument in given:
        if isinstance(value, Node):
            help = f"tensors come where it is applied: `{name}(...)`"
            message = f"an instance takes no tensors, found {describe_value(value)}"
            raise mistake("E212", message, argument.span, help)
    positional = [Positional(v, a.span, a.value) for ident, v, a in given if ident is None]
    named = {ident.text: (v, a) for ident, v, a in given if ident is not None}
    with context.using(callee.tree, expr.span):
        ports = [port for port in callee.tree.ports if is_compile_time(port)]
        bound = _fill(callee.tree, ports, positional, named, {}, expr.span)
        arguments = _convert(context, ports, bound)
    return InstanceValue(callee, scope.join(name), arguments)


def instantiate(
    context: Context,
    block: BlockValue,
    tensors: dict[str, tuple[Node, Span]],
    arguments: dict[str, Any],
    path: str | None,
    unnamed: Span | None,
    span: Span,
    reusing: bool,
) -> tuple[Any, InstanceValue]:
    """Elaborate a block's body; its result is a node, or a tuple of nodes."""
    users = [name for name, _ in context.uses[:-1]]
    if block.tree.name.text in users:
        loop = [*users[users.index(block.tree.name.text) :], block.tree.name.text]
        raise mistake("E202", f"a block cannot use itself: {' -> '.join(loop)}", span)
    instance = InstanceValue(block, path, arguments)
    inner = Scope(path, block.space, block=block.tree, reusing=reusing, unnamed=unnamed)
    for port in block.tree.ports:
        if port.name.text in arguments:
            inner.entries[port.name.text] = Entry(arguments[port.name.text], port.name.span)
    with stamped(Origin(span, context.origin.used if context.origin else None)):
        bind_ports(context, inner, block.tree, tensors, span)
        context.body(context, inner, block.tree.body)
        results = check_results(context, inner, block.tree)
        results = apply_rules(context, inner, block.tree, results)
    return (results[0] if len(results) == 1 else results), instance


def _bind(
    context: Context,
    block: tree.Block,
    positional: Sequence[Positional],
    named: dict[str, tuple[Any, tree.Argument]],
    preset: dict[str, Any],
    span: Span,
) -> tuple[dict[str, tuple[Node, Span]], dict[str, Any]]:
    """Return the tensors and the compile-time arguments of a use, by port."""
    bound = _fill(block, block.ports, positional, named, preset, span)
    tensors: dict[str, tuple[Node, Span]] = {}
    for port in block.ports:
        if not is_compile_time(port) and port.name.text in bound:
            value, place = bound[port.name.text]
            tensors[port.name.text] = (to_node(value, place), place)
    constants = [port for port in block.ports if is_compile_time(port)]
    return tensors, {**preset, **_convert(context, constants, bound)}


def _fill(
    block: tree.Block,
    ports: Sequence[tree.Port],
    positional: Sequence[Positional],
    named: dict[str, tuple[Any, tree.Argument]],
    preset: dict[str, Any],
    span: Span,
) -> dict[str, tuple[Any, Span]]:
    """Assign what is given to ports; what has a default may be left out."""
    name = block.name.text
    open_ports = [port for port in ports if port.name.text not in preset]
    known = [port.name.text for port in ports]
    if len(positional) > len(open_ports):
        extra = positional[len(open_ports)].span
        raise mistake(
            "E209", f"{name} takes {_list_ports(open_ports)}; this is one too many", extra
        )
    bound = {
        port.name.text: (g.value, g.span) for port, g in zip(open_ports, positional, strict=False)
    }
    for argument, (value, given) in named.items():
        if argument not in known:
            named_by = "a use is named by `as`" if argument == "name" else None
            near = named_by or argument_remedy(argument, known)
            near = near or f"it takes {_list_ports(ports)}"
            raise mistake("E209", f"{name} has no argument `{argument}`", span, near)
        if argument in bound:
            raise mistake("E209", f"{name} gets `{argument}` twice", given.span)
        if argument in preset:
            raise mistake("E209", f"`{argument}` was fixed when this instance was made", given.span)
        bound[argument] = (value, given.span)
    missing = [p.name.text for p in open_ports if p.name.text not in bound and p.default is None]
    if missing:
        called = ", ".join(p.name.text for p in open_ports if p.default is None)
        help = f"it is called `{name}({called})`"
        raise mistake("E209", f"{name} needs {_list_names(missing)}", span, help)
    return bound


def _convert(
    context: Context, ports: Iterable[tree.Port], bound: dict[str, tuple[Any, Span]]
) -> dict[str, Any]:
    return {
        port.name.text: check_compile_time(
            context, port.type.kind.text, *bound[port.name.text], f"`{port.name.text}`"
        )
        for port in ports
        if port.name.text in bound and port.type.kind
    }


def _list_ports(ports: Sequence[tree.Port]) -> str:
    return _list_names([port.name.text for port in ports]) if ports else "no arguments"


def _list_names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
