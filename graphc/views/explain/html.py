"""A document as one page of HTML, its formulas in MathML: no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from graphc.views.colours import COLOURS, within
from graphc.views.explain.document import (
    About,
    Block,
    Code,
    Document,
    Equation,
    Heading,
    Inlines,
    Inside,
    Items,
    Paragraph,
    Table,
)
from graphc.views.explain.marks import BOLD, Mark, length, unstacked

STYLE = (
    COLOURS
    + """
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem 1.2rem 4rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.15rem; margin-top: 2.2rem; padding-top: .8rem;
  border-top: 1px solid var(--rim); }
math { font-size: 1.08em; }
.equation { overflow-x: auto; padding: .5rem .8rem; margin: .9rem 0 .3rem; background: var(--tint);
  border-left: 3px solid var(--accent); border-radius: 3px; }
.equation table { border-collapse: collapse; margin: 0; }
.equation td { padding: .12rem .3rem; border: 0; vertical-align: baseline; white-space: normal; }
.equation td:first-child { text-align: right; padding-left: 0; white-space: nowrap; }
.equation small, .shape { color: var(--soft); font-size: .82rem; white-space: nowrap;
  padding-left: .9rem; }
.equation .place { display: block; padding: .15rem 0 0; white-space: normal; }
ul { margin: .3rem 0 1rem; padding-left: 1.3rem; overflow-x: auto; overflow-y: hidden; }
li { margin: .25rem 0; }
li math { font-size: 1.2em; }
code { font: .88em ui-monospace, monospace; background: var(--tint); padding: .05em .3em;
  border-radius: 3px; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
.kept { white-space: nowrap; }
.wide table { border-collapse: collapse; margin: .6rem 0 1rem; }
.wide th, .wide td { text-align: left; padding: .25rem .9rem .25rem 0; font-weight: 400;
  border-bottom: 1px solid var(--rim); vertical-align: baseline; }
.wide th { color: var(--soft); font-size: .88rem; }
details { margin: 1rem 0; padding: .3rem .9rem .6rem; border: 1px solid var(--rim);
  border-radius: 6px; }
summary { cursor: pointer; color: var(--soft); }
@media (max-width: 40rem) { body { padding: .6rem .7rem 3rem; } .equation { padding: .4rem .5rem; }
  .equation small { padding-left: .5rem; }
  .wide :is(th, td) { padding-right: .5rem; overflow-wrap: anywhere; }
  .equation :is(table, tbody, tr, td) { display: block; }
  .equation td:first-child { text-align: left; }
  details { padding: .2rem .5rem; } }
@media print { body { max-width: none; } .equation, details { break-inside: avoid; } }
"""
)


def page(document: Document) -> str:
    """Write the document as a page of its own."""
    title = escape(document.title)
    body = "\n".join(write_blocks(document.blocks))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def fragment(document: Document) -> str:
    """Write the document as a part of a page, whose style it leaves alone: for notebooks."""
    style = within(".graphc.derivation", STYLE)
    inside = "\n".join(write_blocks(document.blocks))
    return f'<div class="graphc derivation">\n<style>\n{style}\n</style>\n{inside}\n</div>\n'


def write_blocks(blocks: Sequence[Block]) -> Iterator[str]:
    """Write blocks; those about a value of the graph, or the derivative by it, say which."""
    for block in blocks:
        match block:
            case Heading(depth, words):
                yield f"<h{depth}>{_words(words)}</h{depth}>"
            case Paragraph(words):
                yield f"<p>{_words(words)}</p>"
            case Items(items):
                yield "<ul>"
                yield from (f"<li>{_words(item)}</li>" for item in items)
                yield "</ul>"
            case Equation():
                yield _equation(block)
            case Table():
                head = "".join(f"<th>{_words(cell)}</th>" for cell in block.head)
                yield f'<div class="wide"><table><tr>{head}</tr>'
                for place, one in enumerate(block.rows):
                    about = _about("node", block.names[place]) if block.names else ""
                    yield f"<tr{about}>{''.join(f'<td>{_words(cell)}</td>' for cell in one)}</tr>"
                yield "</table></div>"
            case Inside(title, inner):
                yield f'<details open=""><summary>{_words(title)}</summary>'
                yield from write_blocks(inner)
                yield "</details>"
            case About(name, derivative, inner):
                yield f"<div{_about('derivative' if derivative else 'node', name)}>"
                yield from write_blocks(inner)
                yield "</div>"


def _about(what: str, name: str) -> str:
    """Write the attribute that says of what an element is: a value, or the derivative by it."""
    return f' data-{what}="{escape(name)}"'


def _equation(block: Equation) -> str:
    shape = f'<span class="shape">{escape(block.shape)}</span>' if block.shape else ""
    rows, places = [], []
    for place, (right, remark) in enumerate(block.rights):
        left = _formula(block.left, display=True) if not place else ""
        note = "" if any(isinstance(one, Code) for one in remark) or not remark else (
            f"<small>{_words(remark)}</small>"
        )  # fmt: skip
        if remark and not note:
            places.append(f'<small class="place">{_words(remark)}</small>')
        sign = _formula(Mark("row", "", (Mark("operator", "="), right)), display=True)
        rows.append(f"<tr><td>{left}</td><td>{sign}{shape if not place else ''}{note}</td></tr>")
    if len(rows) < 2:  # nothing to align
        equal = [part for right, _ in block.rights for part in (Mark("operator", "="), right)]
        whole = _formula(Mark("row", "", (block.left, *equal)), display=True)
        remarks = "" if places else "".join(
            f"<small>{_words(remark)}</small>" for _, remark in block.rights if remark
        )  # fmt: skip
        return f'<div class="equation">{whole}{shape}{remarks}{"".join(places)}</div>'
    return f'<div class="equation"><table>{"".join(rows)}</table>{"".join(places)}</div>'


def _words(words: Inlines) -> str:
    found: list[str] = []
    closing = ""
    for word, after in zip(words, (*words[1:], ""), strict=True):
        if isinstance(word, str):
            found.append(escape(word.removeprefix(closing)))
            closing = ""
        elif isinstance(word, Code):
            found.append(f"<code>{escape(word.text).replace('-&gt;', ARROW)}</code>")
        else:
            closing = after[0] if isinstance(after, str) and after.startswith(CLOSING) else ""
            found.append(_formula(word, closing=closing))
    return "".join(found)


ARROW = '<span class="kept">-&gt;</span>'

CLOSING = (",", ".", ":", ";", ")")
"""Signs that stay on the line of the formula before them: browsers would break there."""


def _formula(mark: Mark, display: bool = False, closing: str = "") -> str:
    """Write a formula, a long one in pieces between which a line may end."""
    style = ' displaystyle="true"' if display else ""
    parts = pieces(unstacked(mark, WIDE)) if length(mark) > LONG else [mathml(mark)]
    *first, last = [f"<math{style}>{piece}</math>" for piece in parts]
    kept = f'<span class="kept">{last}{closing}</span>' if closing else last
    return "<wbr/>".join((*first, kept))


LONG = 24
"""Characters of a formula that stands on one line, however narrow the page is."""

WIDE = 40
"""Characters of a fraction or a power, at most: such fit on the page of a telephone in any font."""

BEFORE = frozenset({"/", "=", "+", "−", "-", "⊙", "⊗", "·", "≥", ">", "<", "≤", "|", ""})
"""Operators before which a line may end; "" stands between the factors of a product."""

AFTER = frozenset({",", ";"})

END = Mark("end")
"""Where a line may end behind the bracket that opens a wide parenthesis."""


def pieces(mark: Mark) -> list[str]:
    """Write the terms and factors of a formula one by one, each with the operator before it."""
    found: list[list[str]] = [[]]
    for part in _flat(mark):
        if part == END:
            found.append([])
            continue
        sign = part.text if part.kind == "operator" else None
        if sign in BEFORE and found[-1]:
            found.append([_operator(part.text).replace("<mo>", '<mo form="infix">')])
        else:
            found[-1].append(mathml(part))
        if sign in AFTER:
            found.append([])
    return [f"<mrow>{''.join(piece)}</mrow>" for piece in found if piece]


def _flat(mark: Mark) -> Iterator[Mark]:
    """Yield the parts of a row and of the rows in it; of long parentheses the signs and what is in.

    What is raised behind such stands behind the last sign.
    """
    parts = mark.parts
    if mark.kind == "soft":
        yield from _flat(parts[0])
    elif mark.kind == "row":
        for part in parts:
            yield from _flat(part)
    elif mark.kind == "fence" and length(mark) > LONG:
        yield Mark("bracket", mark.text[0])
        if length(mark) > WIDE:
            yield END
        yield from _flat(parts[0])
        yield Mark("bracket", mark.text[-1])
    elif (
        mark.kind in ("raised", "lowered")
        and parts[0].kind in ("fence", "row")
        and length(mark) > LONG
    ):
        *inside, last = _flat(parts[0])
        yield from inside
        yield Mark(mark.kind, "", (last, parts[1]))
    else:
        yield mark


# ---- MathML -------------------------------------------------------------------------------------


NORMAL = ' mathvariant="normal"'
"""Names of several characters are upright as they are."""


def mathml(mark: Mark) -> str:
    """Write a formula in MathML Core."""
    parts = mark.parts
    match mark.kind:
        case "name":
            return f"<mi>{escape(mark.text)}</mi>"
        case "upright":
            return f"<mi{NORMAL if len(mark.text) == 1 else ''}>{escape(mark.text)}</mi>"
        case "number":
            return _number(mark.text)
        case "operator":
            return _operator(mark.text)
        case "bracket":
            return _bracket(mark.text, grows=False)
        case "bold":
            return f"<mi>{BOLD.get(mark.text) or escape(mark.text)}</mi>"
        case "row":
            return f"<mrow>{''.join(map(mathml, parts))}</mrow>"
        case "above" | "derivative":
            return f"<mfrac>{mathml(parts[0])}{mathml(parts[1])}</mfrac>"
        case "raised":
            return f"<msup>{mathml(parts[0])}{mathml(parts[1])}</msup>"
        case "lowered":
            if parts[0] == Mark("operator", "Σ"):
                return f'<munder><mo movablelimits="false">∑</mo>{mathml(parts[1])}</munder>'
            return f"<msub>{mathml(parts[0])}{mathml(parts[1])}</msub>"
        case "root" if len(parts) > 1:
            return f"<mroot>{mathml(parts[0])}{mathml(parts[1])}</mroot>"
        case "root":
            return f"<msqrt>{mathml(parts[0])}</msqrt>"
        case "soft":
            return mathml(parts[0])
        case "bar":
            return f'<mover accent="true">{mathml(parts[0])}<mo stretchy="true">¯</mo></mover>'
        case _:
            first, last = (
                _bracket(sign, _is_tall(parts[0])) for sign in mark.text[:: len(mark.text) - 1]
            )
            return f"<mrow>{first}{mathml(parts[0])}{last}</mrow>"


def _is_tall(mark: Mark) -> bool:
    """Return whether a formula is higher than a line."""
    return mark.kind in TALL or any(map(_is_tall, mark.parts))


TALL = frozenset({"above", "derivative", "root"})


def _bracket(sign: str, grows: bool) -> str:
    """Write a bracket; browsers leave room on both sides of one that may grow."""
    return f"<mo{'' if grows else LEVEL}>{escape(sign)}</mo>"


LEVEL = ' stretchy="false"'


def _operator(sign: str) -> str:
    if not sign:
        return '<mspace width="0.17em"/>'
    if sign == "T":
        return "<mi>⊤</mi>"
    shown = {"Σ": "∑", "Π": "∏"}.get(sign, sign)
    return f"<mo>{escape(shown)}</mo>"


def _number(text: str) -> str:
    mantissa, e, exponent = text.partition("e")
    if not e:
        return f"<mn>{text}</mn>"
    power = exponent.replace("-", "−")
    return f"<mrow><mn>{mantissa}</mn><mo>·</mo><msup><mn>10</mn><mn>{power}</mn></msup></mrow>"
