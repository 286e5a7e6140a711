"""Puts together messages of several topics that carry one stamp."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time


class StampMatcher:
    """Waits until every topic has a message of the same stamp.

    Not safe for threads: one thread adds.

    Attributes:
        unmatched: how many stamps were given up because a topic never sent theirs.
        last_gap: the topics that were missing when a stamp was last given up.
    """

    def __init__(self, topics: tuple[str, ...], capacity: int) -> None:
        self._topics = topics
        self._capacity = capacity
        self._waiting: dict[int, dict[str, Any]] = {}
        self.unmatched = 0
        self.last_gap: tuple[str, ...] = ()

    def add(self, topic: str, stamp: Time, message: Any) -> tuple[Any, ...] | None:
        """Take one message; return all topics' messages, in their order, when a set is whole."""
        key = stamp_ns(stamp)
        parts = self._waiting.setdefault(key, {})
        parts[topic] = message
        if len(parts) == len(self._topics):
            del self._waiting[key]
            return tuple(parts[name] for name in self._topics)
        if len(self._waiting) > self._capacity:
            # By arrival, not by stamp: a clock may step back.
            oldest = self._waiting.pop(next(iter(self._waiting)))
            self.unmatched += 1
            self.last_gap = tuple(name for name in self._topics if name not in oldest)
        return None

    def clear(self) -> None:
        """Forget what waits, as after a pause."""
        self._waiting.clear()


def stamp_ns(stamp: Time) -> int:
    """Return a message stamp in nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def stamp_of(ns: int) -> Time:
    """Return nanoseconds as a message stamp."""
    return Time(sec=ns // 1_000_000_000, nanosec=ns % 1_000_000_000)
