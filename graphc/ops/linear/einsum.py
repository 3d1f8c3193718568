"""Index notation in words: `einsum` and `rearrange`, read at compile time and lowered to products,
sums and changes of shape."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from graphc.ir.dims import Dim
from graphc.ir.graph import Node
from graphc.ir.types import Mismatch, known_facts, product, same
from graphc.ops.define.families import composite
from graphc.ops.linear.contraction import contract
from graphc.ops.shape.shaping import reshape, transpose
from graphc.source import did_you_mean

DOTS = "..."
Group = tuple[str, ...]


def _wrong(message: str, help: str | None = None) -> Mismatch:
    return Mismatch("E306", message, help)


def _sides(pattern: str, what: str) -> tuple[str, str]:
    """Split a pattern at the arrow."""
    parts = pattern.split("->")
    if len(parts) != 2:
        help = "what is left stands behind it: `i k, k j -> i j`"
        raise _wrong(f'`{what}` needs one `->`: "{pattern}"', help)
    return parts[0], parts[1]


def _words(text: str, what: str) -> list[str]:
    words = text.split()
    for word in words:
        if word != DOTS and not re.fullmatch(r"[^\W\d]\w*", word):
            raise _wrong(f"`{word}` is not an index of `{what}`", "indices are words: `b t d`")
    return words


# ---- einsum --------------------------------------------------------------------------------


@composite(
    "einsum",
    "subscripts: str, *operands",
    'A sum of products in index notation, with words as indices: "b t d, b s d -> b t s".',
)
def einsum(*operands: Node, subscripts: str) -> Node:
    try:
        return _einsum(operands, subscripts)
    except Mismatch as wrong:
        spaced = _in_words(subscripts)
        if spaced is None:
            raise
        raise _wrong(wrong.message, f"indices are words: write `{spaced}`") from None


def _in_words(pattern: str) -> str | None:
    """Rewrite NumPy's `ij,j->i` as words, `i j, j -> i`; None for what is no such text."""
    terms = re.fullmatch(r"([a-zA-Z]+)((?: *, *[a-zA-Z]+)*) *-> *([a-zA-Z]*)", pattern.strip())
    if terms is None:
        return None
    first, others, result = terms.groups()
    left = [" ".join(term.strip()) for term in (first + others).split(",")]
    if max(map(len, left)) == 1 or not set(result) <= set("".join(left)):
        return None
    return f"{', '.join(left)} -> {' '.join(result)}".strip()


def _einsum(operands: Sequence[Node], subscripts: str) -> Node:
    left, right = _sides(subscripts, "einsum")
    terms = [_words(term, "einsum") for term in left.split(",")]
    result = _words(right, "einsum")
    if len(terms) != len(operands):
        raise _wrong(f"einsum names {len(terms)} operands and gets {len(operands)}")
    named = [_expand_dots(term, x) for term, x in zip(terms, operands, strict=True)]
    _check_einsum(terms, result)
    longest = max((len(_dots(term)) for term in named), default=0)
    result = _with_dots(result, longest)
    sizes: dict[str, Dim] = {}
    for term, x in zip(named, operands, strict=True):
        for word, size in zip(term, x.shape, strict=True):
            known = sizes.setdefault(word, size)
            if not same(known, size):
                shown = "..." if word.startswith(DOTS) else word
                raise _wrong(f"einsum index `{shown}` is {known} and {size}")
    return contract(list(zip(operands, map(tuple, named), strict=True)), tuple(result))


def _expand_dots(term: Sequence[str], x: Node) -> list[str]:
    """Write a term with a word for each axis: those of `...` are numbered from the right."""
    spare = x.rank - len(term) + (DOTS in term)
    if spare < 0 or (spare and DOTS not in term) or term.count(DOTS) > 1:
        count = f"{len(term) - (DOTS in term)} indices"
        raise _wrong(
            f'einsum operand "{" ".join(term)}" has {count} for {x.type} of rank {x.rank}',
            "indices are words: write `b i j` for three axes" if len(term) == 1 else None,
        )
    return _with_dots(term, spare)


def _with_dots(term: Sequence[str], count: int) -> list[str]:
    axes = [f"{DOTS}{i}" for i in range(count, 0, -1)]
    return [word for one in term for word in (axes if one == DOTS else [one])]


def _dots(term: Sequence[str]) -> list[str]:
    return [word for word in term if word.startswith(DOTS)]


def _check_einsum(terms: Sequence[Sequence[str]], result: Sequence[str]) -> None:
    """Check that indices of the result occur on the left once, and summed ones at least twice."""
    uses = Counter(word for term in terms for word in term)
    for word, times in Counter(result).items():
        if times > 1:
            raise _wrong(f"einsum index `{word}` occurs {times} times in the result")
        if word not in uses:
            near = did_you_mean(word, uses.keys() - set(result))
            raise _wrong(f"einsum index `{word}` of the result occurs in no operand", near)
    single = [word for word, times in uses.items() if times == 1 and word not in result]
    if single:
        word = single[0]
        near = did_you_mean(word, single[1:]) or did_you_mean(word, uses.keys() - {word})
        raise _wrong(f"einsum index `{word}` occurs once and not in the result", near)
    if DOTS in uses and DOTS not in result:
        raise _wrong("einsum has `...` in an operand and not in the result")


# ---- rearrange -----------------------------------------------------------------------------


@composite(
    "rearrange",
    "x, pattern: str, **sizes: int",
    'Axes split, moved and joined: "b t (h d) -> b h t d" with h=… for the size of h.',
)
def rearrange(x: Node, pattern: str, sizes: Mapping[str, Dim]) -> Node:
    left, right = (_groups(side) for side in _sides(pattern, "rearrange"))
    if (DOTS,) in left:
        place = left.index((DOTS,))
        spare = [(f"{DOTS}{i}",) for i in range(x.rank - len(left) + 1)]
        left[place : place + 1] = spare
        if (DOTS,) in right:
            place = right.index((DOTS,))
            right[place : place + 1] = spare
    if len(left) != x.rank:
        raise _wrong(f"rearrange names {len(left)} axes for {x.type} of rank {x.rank}")
    before, after = ([word for group in side for word in group] for side in (left, right))
    _check_rearrange(before, after, sizes)
    found = _sizes(x, left, sizes)
    split = reshape(x, shape=tuple(found[word] for word in before))
    moved = transpose(split, axes=tuple(before.index(word) for word in after))
    shape = [known_facts().normal(product([found[word] for word in group])) for group in right]
    return reshape(moved, shape=tuple(shape))


def _groups(side: str) -> list[Group]:
    """`b (h d) 1` as (b), (h, d) and an empty group for the axis of length 1."""
    groups: list[Group] = []
    for part in re.findall(r"\([^()]*\)|[^\s()]+|[()]", side):
        if part in "()":
            raise _wrong(f'rearrange has an unmatched parenthesis: "{side.strip()}"')
        inner = part[1:-1] if part.startswith("(") else part
        words = [] if inner == "1" else _words(inner, "rearrange")
        if part.startswith("(") and DOTS in words:
            raise _wrong("rearrange has `...` inside parentheses")
        groups.append(tuple(words))
    return groups


def _check_rearrange(before: Sequence[str], after: Sequence[str], sizes: Mapping[str, Dim]) -> None:
    for side in (before, after):
        for word, times in Counter(side).items():
            if times > 1:
                raise _wrong(f"rearrange index `{word}` occurs {times} times on one side")
    for word in (*before, *after):
        if word not in after or word not in before:
            side, other = (before, after) if word in before else (after, before)
            near = did_you_mean(word, set(other) - set(side))
            shown = "`...`" if word.startswith(DOTS) else f"index `{word}`"
            raise _wrong(f"rearrange {shown} is on one side only", near)
    for word in sizes:
        if word not in before:
            raise _wrong(f"rearrange has no index `{word}`", did_you_mean(word, before))


def _sizes(x: Node, left: Sequence[Group], given: Mapping[str, Dim]) -> dict[str, Dim]:
    """Return the size of every index: given, or what is left of its axis."""
    sizes = dict(given)
    for group, size in zip(left, x.shape, strict=True):
        unknown = [word for word in group if word not in sizes]
        if len(unknown) > 1:
            raise _wrong(
                f"rearrange cannot tell the sizes of `{unknown[0]}` and `{unknown[1]}`",
                f"give one of them, e.g. {unknown[0]}=4",
            )
        rest = product([sizes[word] for word in group if word in sizes])
        if unknown:
            if rest.constant == 0:
                raise _wrong("rearrange has an index of size 0")
            sizes[unknown[0]] = known_facts().normal(size // rest)
        whole = product([sizes[word] for word in group])
        if not same(whole, size):
            shown = f"({' '.join(group)})" if group else "1"
            raise _wrong(f"rearrange: {shown} of {whole} does not fit an axis of {size}")
    return sizes
