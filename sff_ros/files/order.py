"""The order of the images of a sweep, by the numbers in their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from pathlib import PurePath

SHOWN = 24  # names in a message, at most

# A sign is no part of a date or range: there, a digit comes before it. A decimal number has one
# point or comma; 1.2.10 is three numbers. The zero before a point may be left out (z_.5), but not
# after a letter (slice.5). Text is casefolded: both signs for micro become μ.
_WHOLE = r'[0-9]+'
_DECIMAL = (
    r'(?<![0-9][.,])[0-9]+[.,][0-9]+(?![0-9]|[.,][0-9])'
    r'|(?<![^\W_])\.[0-9]+(?![.,]?[0-9])'
    r'|[0-9]+'
)
_DECIMALS, _WHOLES = (
    re.compile(
        r'(?P<sign>(?<![0-9])[-+])?'
        rf'(?P<digits>{digits})'
        r'(?:e(?P<exponent>[-+]?[0-9]{1,3})(?![0-9]))?'
        r'(?P<unit>[ _]?(?P<prefix>[nuμmcdk]?)(?P<base>[mav])(?![a-z]))?'
    )
    for digits in (_DECIMAL, _WHOLE)
)
_DASHES = str.maketrans('\N{MINUS SIGN}\N{EN DASH}', '--')
_POWERS = {'n': -9, 'u': -6, 'μ': -6, 'm': -3, 'c': -2, 'd': -1, '': 0, 'k': 3}
_TEXT_THEN_SIGN = re.compile(r'[^\s_=,;:~#@([{-]$')  # z-10 may be z, minus 10, or the tenth of z

_Key = list['str | Decimal']  # text, number, text, ..., text: comparable with any other


def stem(name: str) -> str:
    """Return the name of a file without its suffix, of which `.ome` before `.tif` is a part."""
    return re.sub(r'\.ome$', '', PurePath(name).stem, flags=re.IGNORECASE)


def in_order(names: Sequence[str]) -> list[str]:
    """Return file names in the order of the numbers in them; the suffix does not count.

    Numbers are compared by value: signs (z_-10 before z_0), decimal points or commas (0.25
    before 0.5) and exponents (5e-4 before 1e-3) count, and units of length, voltage or current
    where they differ (900um before 1mm). A name comes before the same name with a number
    (scan before scan2). A minus directly after a letter is a sign only if another name has the
    same text without it (z-10, z0), else a dash (scan-1, scan-2). Where decimals would make two
    names equal (v1.1 and v1.10), the digits before and after the point are two numbers.
    """
    keys = _keys(names)
    return sorted(names, key=lambda name: (keys[name], name))


def unclear_order(names: Sequence[str]) -> str:
    """Return names that are `in_order` as one line; empty where the order is obvious.

    It is obvious where the names differ in numbers only, and signs, decimals, exponents and units
    make no difference.
    """
    keys = _keys(names)
    texts = {tuple(keys[name][::2]) for name in names}
    columns = zip(*(keys[name][1::2] for name in names), strict=False)
    varying = sum(len(set(column)) > 1 for column in columns)
    digits = sorted(names, key=lambda name: (_digit_groups(stem(name).casefold()), name))
    same = list(names) == digits and (varying == 1 or list(names) == sorted(names))
    if len(texts) == 1 and same:
        return ''
    half = SHOWN // 2
    if len(names) <= SHOWN:
        return ', '.join(names)
    return f'{", ".join(names[:half])}, ... {", ".join(names[-half:])}'


def twins(names: Sequence[str]) -> list[list[str]]:
    """Return the groups of files whose names differ in suffix or case only."""
    groups = defaultdict(list)
    for name in sorted(names):
        groups[stem(name).casefold()].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _keys(names: Sequence[str]) -> dict[str, _Key]:
    """Return the sort key of each name; how a number is read depends on all of them."""
    stems = {name: stem(name).casefold().translate(_DASHES) for name in names}
    decimals, wholes = _read(stems, _DECIMALS), _read(stems, _WHOLES)
    return decimals if _equal(decimals) <= _equal(wholes) else wholes


def _read(stems: dict[str, str], number: re.Pattern[str]) -> dict[str, _Key]:
    """Return the keys, with digits read as decimals or as whole numbers."""
    found = {name: list(number.finditer(text)) for name, text in stems.items()}
    # A column is the numbers of the same place in the name, after the same text.
    plain: set[tuple[int, str]] = set()
    units: dict[tuple[int, str], set[tuple[str, str]]] = defaultdict(set)
    for name, matches in found.items():
        for column, match in zip(_columns(stems[name], matches), matches, strict=True):
            if match['sign'] != '-':
                plain.add(column)
            if match['unit']:
                units[column].add((match['prefix'], match['base']))
    scaled = {
        column
        for column, kinds in units.items()
        if len(kinds) > 1 and len({base for _, base in kinds}) == 1
    }
    return {name: _values(text, found[name], plain, scaled) for name, text in stems.items()}


def _columns(text: str, matches: Sequence[re.Match[str]]) -> list[tuple[int, str]]:
    ends = [0, *(match.end() for match in matches)]
    return [(i, text[ends[i] : match.start()]) for i, match in enumerate(matches)]


def _values(
    text: str,
    matches: Sequence[re.Match[str]],
    plain: set[tuple[int, str]],
    scaled: set[tuple[int, str]],
) -> _Key:
    key: _Key = []
    end = 0
    for column, match in zip(_columns(text, matches), matches, strict=True):
        before, sign = text[end : match.start()], match['sign'] or ''
        if sign == '-' and _TEXT_THEN_SIGN.search(before) and column not in plain:
            before, sign = before + sign, ''
        power = int(match['exponent'] or 0)
        end = match.end('digits' if match['exponent'] is None else 'exponent')
        if column in scaled and match['unit']:
            power += _POWERS[match['prefix']]
            end = match.end()
        key += [before, Decimal(f'{sign}{match["digits"].replace(",", ".")}e{power}')]
    return [*key, text[end:]]


def _digit_groups(text: str) -> _Key:
    """Return a key in which every group of digits is a whole number."""
    parts = re.split(r'([0-9]+)', text)
    return [Decimal(part) if i % 2 else part for i, part in enumerate(parts)]


def _equal(keys: dict[str, _Key]) -> int:
    """Return how many keys equal another one."""
    return len(keys) - len(set(map(tuple, keys.values())))
