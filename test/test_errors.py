"""Values in messages: short, however long, deep or large they are."""

from __future__ import annotations

import pytest

from sff_ros.errors import LONGEST_QUOTE, quoted, shortened


@pytest.mark.parametrize(
    'value', ['a word', "it's", 1, -2.5, None, True, [1, 2.5, 'x'], (1,), {'a': [1]}, b'\x00']
)
def test_a_usual_value_is_quoted_as_python_writes_it(value: object) -> None:
    assert quoted(value) == repr(value)


def test_what_has_no_end_is_quoted_in_a_few_words() -> None:
    nine: object = 'lol'
    for _ in range(40):
        nine = [nine] * 9  # 9^40 words
    endless: list[object] = []
    endless.append(endless)
    for value in (nine, endless, 'x' * 10**6, list(range(10**5)), {i: [i] for i in range(999)}):
        assert len(quoted(value)) <= LONGEST_QUOTE
    assert quoted('x' * 10**6).startswith("'xxx")


def test_a_number_of_too_many_digits_is_quoted_by_its_size() -> None:
    assert len(quoted([1 << 99_999])) < 99
    assert len(quoted(1 << 99_999)) < 99


def test_the_error_of_a_library_becomes_one_line() -> None:
    assert shortened('line 1\n  line 2') == 'line 1 line 2'
    assert len(shortened('x y\n' * 10**5)) <= LONGEST_QUOTE
