"""Every error that this package raises deliberately, and how it quotes a value."""

from __future__ import annotations

import reprlib


class SffError(Exception):
    """Base of all errors; the message is one line, naming the subject and what was expected."""


class ConfigError(SffError):
    """A parameter, option or file of settings is unknown, of the wrong type or out of range."""


class CameraError(SffError):
    """A camera cannot be opened or read, or does not support the request."""


class CameraLostError(CameraError):
    """A camera was disconnected, e.g. unplugged; it must be reopened."""


class CalibrationError(SffError):
    """Intrinsics or a lens calibration are missing, malformed or do not cover the request."""


class ModelError(SffError):
    """A depth backend or its weights cannot be loaded or run."""


class StackError(SffError):
    """A slice or a focal stack is malformed: shape, type, order or focus positions."""


class MiddlewareError(SffError):
    """ROS 2 does not start: wrong arguments, or security is on and something of it is missing."""


LONGEST_QUOTE = 300  # characters


def quoted(value: object) -> str:
    """Return a value as it is quoted in an error: its repr, or the begin and end of a long one.

    What a user or a peer sends may be long, deep, or grow without end as text.
    """
    return _clipped(_QUOTE.repr(value))


def shortened(text: str) -> str:
    """Return the text of another library's error, on one line and of limited length."""
    return _clipped(' '.join(text[: 4 * LONGEST_QUOTE].split()))


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else f'{text[: LONGEST_QUOTE - 4]} ...'


class _Quote(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxdict = 2, 8
        self.maxlist = self.maxtuple = self.maxset = 16
        self.maxstring = self.maxother = 120

    def repr_int(self, value: int, level: int) -> str:
        try:
            return super().repr_int(value, level)
        except ValueError:  # more digits than Python converts
            return f'an integer of {value.bit_length()} bits'


_QUOTE = _Quote()
