"""Match messages of several topics by exact stamp."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time

from sff_ros.core.sweep.stamp import SECOND_NS


class StampMatcher:
    """Waits until every topic has a message of the same stamp.

    Not thread-safe: only one thread may add.

    Attributes:
        unmatched: number of stamps that were dropped because a topic never sent theirs.
        last_gap: the missing topics of the last dropped stamp.
    """

    def __init__(self, topics: tuple[str, ...], capacity: int) -> None:
        self._topics = topics
        self._capacity = capacity
        self._waiting: dict[tuple[int, int], dict[str, Any]] = {}
        self.unmatched = 0
        self.last_gap: tuple[str, ...] = ()

    def add(self, topic: str, stamp: Time, message: Any) -> tuple[Any, ...] | None:
        """Add one message; return all topics' messages, in topic order, once complete."""
        key = (stamp.sec, stamp.nanosec)  # as it came: those of a malformed one match, too
        parts = self._waiting.setdefault(key, {})
        parts[topic] = message
        if len(parts) == len(self._topics):
            del self._waiting[key]
            return tuple(parts[name] for name in self._topics)
        if len(self._waiting) > self._capacity:
            # By arrival, not by stamp: a clock may jump back.
            oldest = self._waiting.pop(next(iter(self._waiting)))
            self.unmatched += 1
            self.last_gap = tuple(name for name in self._topics if name not in oldest)
        return None

    def clear(self) -> None:
        """Drop all incomplete sets, e.g. after a pause."""
        self._waiting.clear()


def stamp_of(ns: int) -> Time:
    """Return nanoseconds as a message stamp."""
    return Time(sec=ns // SECOND_NS, nanosec=ns % SECOND_NS)
