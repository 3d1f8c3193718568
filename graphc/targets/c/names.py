"""Names in C: those of a file, kept apart from what C and its library mean by them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_KEYWORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while _Bool _Complex _Imaginary
    alignas alignof asm bool catch char8_t char16_t char32_t class concept consteval constexpr
    constinit const_cast co_await co_return co_yield decltype delete dynamic_cast explicit export
    false friend mutable namespace new noexcept nullptr operator private protected public
    reinterpret_cast requires static_assert static_cast template this thread_local throw true try
    typeid typename typeof typeof_unqual using virtual wchar_t and and_eq bitand bitor compl not
    not_eq or or_eq xor xor_eq
"""
"""Keywords of C and C++: a header is read by both."""

_MATHS = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1
    fabs fdim floor fma fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p
    log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow remainder remquo rint round
    scalbln scalbn sin sinh sqrt tan tanh tgamma trunc exp10 pow10 gamma drem significand j0 j1
    jn y0 y1 yn finite scalb sincos
"""
_LIBRARY = """
    NULL EOF offsetof size_t ptrdiff_t max_align_t complex imaginary I main errno assert abs labs
    div ldiv rand srand malloc calloc realloc free exit abort atexit system getenv qsort bsearch
    memcpy memmove memset memcmp memchr strlen strcpy strcat strcmp strchr strstr printf puts gets
    isfinite isinf isnan isnormal signbit fpclassify isgreater isless isunordered isgreaterequal
    islessequal islessgreater signgam math_errhandling float_t double_t NAN INFINITY HUGE_VAL
    HUGE_VALF HUGE_VALL FP_NAN FP_INFINITE FP_ZERO FP_SUBNORMAL FP_NORMAL FP_ILOGB0 FP_ILOGBNAN
    MATH_ERRNO MATH_ERREXCEPT DOMAIN SING OVERFLOW UNDERFLOW PLOSS TLOSS HUGE MAXFLOAT SIZE_MAX
    PTRDIFF_MAX PTRDIFF_MIN SIG_ATOMIC_MAX SIG_ATOMIC_MIN linux unix vax sun i386 near far huge
    pascal cdecl interface small hyper min max
"""
"""Names that the headers of the standard library may define, and macros that compilers do."""

RESERVED = frozenset(
    {
        *_KEYWORDS.split(),
        *_LIBRARY.split(),
        *(f"{name}{suffix}" for name in _MATHS.split() for suffix in ("", "f", "l", "_r", "f_r")),
    }
)

OWN = re.compile(
    r"gc_|GC_|u?int(?:_fast|_least)?(?:8|16|32|64|max|ptr)_|U?INT\d|M_|E[A-Z0-9]"
    r"|(?:FLT|DBL|LDBL|DEC|DEC32|DEC64|DEC128|DECIMAL|FE|FP|RAND|EXIT|CLOCKS_PER|SEEK|SIG|MB)_[A-Z]"
    r"|(?:[SU]?CHAR|U?SHRT|U?INT|U?INTPTR|U?INTMAX|U?LL?ONG|S?SIZE|WCHAR|WINT)_(?:BIT|MAX|MIN|WIDTH)"
    r"|BUFSIZ"
    r"|(?:str|mem|is|to|wcs)[a-z]"
)
"""How names begin that belong to the functions of graphc, or that C keeps for its library."""

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def c_name(word: str) -> str:
    """Convert an identifier to one of C, different for different ones.

    What C or its library means something by gets one `_` more, and so does what would then be the
    same. What is no letter of ASCII is written by its number.

    >>> c_name("W"), c_name("double"), c_name("double_"), c_name("y0"), c_name("h")
    ('W', 'double_', 'double__', 'y0_', 'h')
    """
    plain = "".join(c if WORD.match(f"_{c}") else f"u{ord(c):04x}" for c in word)
    plain = plain if plain == word else f"{plain}_"
    plain = f"n{plain}" if plain[:1].isdigit() or not plain else plain
    stem = plain.rstrip("_")
    return f"{_public(plain)}_" if stem in RESERVED or OWN.match(stem) else _public(plain)


def _public(word: str) -> str:
    return f"v{word}" if word.startswith("_") else word


class Scope:
    """The names taken so far in one function, or in one file."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = {*taken}

    def fresh(self, wanted: str) -> str:
        """Return the name in C, or with `_2`, `_3`, … behind it where it is taken."""
        name, number = c_name(wanted), 1
        while name in self.taken:
            number += 1
            name = c_name(f"{wanted}_{number}")
        self.taken.add(name)
        return name
