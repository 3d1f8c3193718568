"""Records: `dataclass`, `field` and `replace` as `dataclasses` has them, in less time.

What `dataclasses` writes and compiles when a class is declared is written here when it is first
called: of the hundreds of records of a command most are never made. That nothing sets a field of a
frozen record mypy holds; at run time that would cost a call for each field of each record.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
else:
    field = dataclasses.field

    def dataclass(cls=None, /, **given):
        """Make a record of a class: fields by its annotations, as `dataclasses.dataclass` does."""
        return _record(cls) if cls is not None else lambda declared: _record(declared, **given)

    def replace(record, /, **changes):
        """Make the record once more, with other values of these fields."""
        return record.__replace__(**changes)


Fields = dict[str, "dataclasses.Field[Any]"]
_MISSING = dataclasses.MISSING


def _record(
    cls: type,
    *,
    frozen: bool = False,
    slots: bool = False,
    eq: bool = True,
    repr: bool = True,
    init: bool = True,
    weakref_slot: bool = False,
) -> type:
    inherited: Fields = {}
    for base in reversed(cls.__mro__[1:]):
        inherited |= getattr(base, "__dataclass_fields__", {})
    annotations: dict[str, str] = vars(cls).get("__annotations__", {})
    stated = (name for name, text in annotations.items() if not text.startswith("ClassVar"))
    own = {name: _declared(cls, name, annotations[name]) for name in stated}
    fields = inherited | own
    if slots:
        places = [name for name in own if name not in inherited]
        cls = _with_slots(cls, fields, (*places, *(["__weakref__"] if weakref_slot else [])))
    kept = vars(cls)
    _set(cls, "__dataclass_fields__", fields)
    _set(cls, "__match_args__", tuple(name for name, one in fields.items() if one.init))
    written: dict[str, Callable[[], str]] = {"__replace__": lambda: _replace_text(fields)}
    if init:
        written["__init__"] = lambda: _init_text(fields, hasattr(cls, "__post_init__"))
    if eq:
        written["__eq__"] = lambda: _eq_text(fields)
    if eq and frozen:
        written["__hash__"] = lambda: _hash_text(fields)
    elif eq and "__hash__" not in kept:
        _set(cls, "__hash__", None)
    if repr:
        written["__repr__"] = lambda: _repr_text(fields)
    for name, text in written.items():
        if kept.get(name) is None:  # a hash is, where a class states what is equal
            _set(cls, name, _written_later(cls, name, text, fields))
    return cls


_set = type.__setattr__


def _declared(cls: type, name: str, annotation: str) -> dataclasses.Field[Any]:
    """Return the field of a name, and leave its default in the class, as `dataclasses` does."""
    default = vars(cls).get(name, _MISSING)
    is_field = isinstance(default, dataclasses.Field)
    one: Any = default if is_field else dataclasses.field(default=default)
    if is_field and one.default is _MISSING:
        delattr(cls, name)
    elif is_field:
        setattr(cls, name, one.default)
    one.name, one.type = name, annotation
    one._field_type = dataclasses._FIELD  # type: ignore[attr-defined]
    return one  # type: ignore[no-any-return]


def _with_slots(cls: type, fields: Fields, places: tuple[str, ...]) -> type:
    """Make a class again with places for its fields, which it cannot be given afterwards."""
    left_out = {"__dict__", "__weakref__", *fields}
    namespace = {name: value for name, value in vars(cls).items() if name not in left_out}
    made = type(cls)(cls.__name__, cls.__bases__, {**namespace, "__slots__": places})
    made.__qualname__ = cls.__qualname__
    return made


def _written_later(
    cls: type, name: str, text: Callable[[], str], fields: Fields
) -> Callable[..., Any]:
    """Return a method that writes the true one in its place when it is first called."""

    def method(self: Any, *args: Any, **given: Any) -> Any:
        scope: dict[str, Any] = {"_missing": _MISSING, "_cls": cls}
        for one in fields.values():
            scope |= {f"_default_{one.name}": one.default, f"_make_{one.name}": one.default_factory}
        exec(text(), scope)
        true = scope[name]
        true.__qualname__ = f"{cls.__qualname__}.{name}"
        _set(cls, name, true)
        return true(self, *args, **given)

    return method


def _init_text(fields: Fields, then: bool) -> str:
    parameters, lines = ["self"], []
    for name, one in fields.items():
        made = one.default_factory is not _MISSING
        optional = made or one.default is not _MISSING
        default = "_missing" if made else f"_default_{name}"
        if one.init:
            parameters.append(f"{name}={default}" if optional else name)
        new = f"_make_{name}()" if made else default
        given = f"{new} if {name} is _missing else {name}" if made else name
        if one.init or optional:
            lines.append(f"self.{name} = {given if one.init else new}")
    lines += ["self.__post_init__()"] if then else []
    return _function("__init__", parameters, lines or ["pass"])


def _replace_text(fields: Fields) -> str:
    names = [name for name, one in fields.items() if one.init]
    values = [f"self.{name} if {name} is _missing else {name}" for name in names]
    parameters = ["self", *(["*"] if names else []), *(f"{name}=_missing" for name in names)]
    return _function("__replace__", parameters, [f"return self.__class__({', '.join(values)})"])


def _eq_text(fields: Fields) -> str:
    names = [name for name, one in fields.items() if one.compare]
    alike = [f"(self.{name} is other.{name} or self.{name} == other.{name})" for name in names]
    lines = [
        "if self is other: return True",
        "if other.__class__ is not self.__class__: return NotImplemented",
        f"return {' and '.join(alike) or 'True'}",
    ]
    return _function("__eq__", ["self", "other"], lines)


def _hash_text(fields: Fields) -> str:
    told = (one for one in fields.values() if (one.compare if one.hash is None else one.hash))
    return _function("__hash__", ["self"], [f"return hash(({_items(told)}))"])


def _repr_text(fields: Fields) -> str:
    shown = ", ".join(f"{{'{name}'}}={{self.{name}!r}}" for name, one in fields.items() if one.repr)
    return _function("__repr__", ["self"], [f'return f"{{self.__class__.__qualname__}}({shown})"'])


def _items(fields: Any) -> str:
    return "".join(f"self.{one.name}, " for one in fields)


def _function(name: str, parameters: list[str], lines: list[str]) -> str:
    return f"def {name}({', '.join(parameters)}):\n    " + "\n    ".join(lines)
