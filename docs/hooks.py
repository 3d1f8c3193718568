"""What makes a site of these pages: their links, fences and formulas as MkDocs takes them.

Pages link to files beside `docs/`, as they do in the repository; the site has copies of these.
Formulas become MathML, which browsers show without scripts. What is searched is written as a
script, `words.js`: pages that are read from a folder may load nothing else.
"""

from __future__ import annotations

import json
import posixpath
import re
from html import unescape
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
DOCS = "docs/"
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^)\s#:]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^(\s*)```(\w+)[^\n`]*$", re.M)
QUOTED_FORMULA = re.compile(r"\$`(.+?)`\$([,.:;)]?)")
FORMULA = re.compile(r"\$([^$\n]+?)\$([,.:;)]?)")
COLOURS = "graphc/views/colours.css"
"""The colours of all pages, which reports and derivations have, too."""
SECTION = re.compile(r'<h[1-4] id="([^"]+)">(.*?)</h[1-4]>', re.S)
NO_WORDS = re.compile(r'<math.*?</math>|<a class="headerlink".*?</a>|<[^>]+>', re.S)
PICTURE = re.compile(r'(<img\b[^>]*\bsrc="([^"]+)"[^>]*>)')
WIDE = re.compile(r'<svg\b[^>]*\bwidth="([\d.]+)"')
OPTION = re.compile(r"(?:(?<=[ >])--[\w-]+|-&gt;)(?=[^<>]*</code>)")
CODE = re.compile(r"(^ *```.*?^ *```$|(?<![$`])`[^`\n]+`(?!\$))", re.M | re.S)


def on_config(config: Any) -> None:
    """Begin the list of what is searched: address, page, heading and words of each section."""
    config.extra["sections"] = []


def on_files(files: Files, config: Any) -> Files:
    """Add what pages link to outside of their folder, and what that links to; the colours."""
    files.append(File.generated(config, "colours.css", abs_src_path=str(ROOT / COLOURS)))
    known = {file.src_uri for file in files}
    pending = [DOCS + name for name in sorted(known) if name.endswith(".md")]
    while pending:
        page = pending.pop()
        for _, link, _ in LINK.findall((ROOT / page).read_text(encoding="utf-8")):
            target = target_of(page, link)
            name = site_name(target)
            if name in known or not (ROOT / target).is_file():
                continue
            known.add(name)
            files.append(File.generated(config, name, content=(ROOT / target).read_bytes()))
            if name.endswith(".md"):
                pending.append(target)
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Rewrite a page: links as they are in the site, fences by their language, formulas."""
    here = page.file.src_uri
    written = DOCS + here if (ROOT / DOCS / here).exists() else here

    def linked(found: re.Match[str]) -> str:
        name = site_name(target_of(written, found[2]))
        if files.get_file_from_path(name) is None:
            return found[1].strip("![]")
        near = posixpath.relpath(name, posixpath.dirname(here) or ".")
        return f"{found[1]}({near}{found[3] or ''})"

    markdown = markdown.replace("<details>", '<details markdown="1">')
    parts = CODE.split(QUOTED_FORMULA.sub(_formula, markdown))
    parts[::2] = [FORMULA.sub(_formula, LINK.sub(linked, part)) for part in parts[::2]]
    return FENCE.sub(r"\1```\2", "".join(parts))


def on_page_content(html: str, *, page: Any, config: Any, files: Files) -> str:
    """Link pictures to themselves in full size, keep options on a line; add the sections of a page
    to what is searched. Pictures say how wide they are."""
    parts = SECTION.split(html)
    for id, heading, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        section = f"{page.url}#{id}", page.title, _words(heading), _words(text)
        config.extra["sections"].append(section)
    html = OPTION.sub(r'<span class="option">\g<0></span>', html)

    def shown(found: re.Match[str]) -> str:
        file = files.get_file_from_path(target_of(page.file.src_uri, found[2]))
        wide = None if file is None else WIDE.search(file.content_string)
        sized = found[1] if wide is None else f'<img style="--wide: {wide[1]}px"{found[1][4:]}'
        return f'<a class="picture" href="{found[2]}">{sized}</a>'

    return PICTURE.sub(shown, html)


def on_post_build(config: Any) -> None:
    """Write what is searched."""
    found = json.dumps(config.extra["sections"], ensure_ascii=False, separators=(",", ":"))
    Path(config.site_dir, "words.js").write_text(f"SECTIONS = {found};\n", encoding="utf-8")


def target_of(page: str, link: str) -> str:
    """Return the path in the repository of what a page links to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def site_name(path: str) -> str:
    """Return where the site has a file of the repository."""
    return path.removeprefix(DOCS)


def _words(html: str) -> str:
    """Return the text of a piece of a page, without its formulas."""
    return " ".join(unescape(NO_WORDS.sub("", html)).split())


def _formula(found: re.Match[str]) -> str:
    """Write a formula in MathML, a long one in pieces between which a line may end.

    The sign behind it stays on its line.
    """
    first, *rest = _pieces(found[1]) if len(found[1]) > LONG else [found[1]]
    infix = (INFIX.sub(r'\1<mo form="infix"', convert(piece)) for piece in rest)
    *parts, last = convert(first), *infix
    kept = f'<span class="kept">{last}{found[2]}</span>' if found[2] else last
    return "<wbr/>".join((*parts, kept))


def _pieces(formula: str) -> list[str]:
    """Split a formula before operators that stand between its terms and factors, in no braces."""
    pieces, depth, before = [""], 0, ""
    for token in TOKEN.findall(formula):
        if depth == 0 and token in BETWEEN and before not in STARTS:
            pieces.append("")
        pieces[-1] += token
        depth += (token in OPENING) - (token in CLOSING)
        before = before if token.isspace() else token
    return pieces


LONG = 30
"""Characters of a formula that stands on one line."""

TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|.")
BETWEEN = frozenset({"+", "-", "=", r"\odot", r"\otimes", r"\times", r"\cdot", r"\,", r"\sum"})
STARTS = BETWEEN | {"", "^", "_", "(", "[", ",", r"\le", r"\ge", r"\lt", r"\gt", r"\left"}
"""What a term begins after: an operator there is a sign."""
OPENING = frozenset({"{", r"\left", r"\begin"})
CLOSING = frozenset({"}", r"\right", r"\end"})
INFIX = re.compile(r"(<math[^>]*><mrow>)<mo(?= |>)")
