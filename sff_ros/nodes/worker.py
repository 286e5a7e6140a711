"""A worker thread for a node's heavy work, so that callbacks stay short."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

ItemT = TypeVar('ItemT')


class Worker(Generic[ItemT]):
    """Handles items one by one, in order, in a thread of its own.

    Args:
        handle: called with each item.
        on_error: called with every exception that `handle` raises; the thread continues.
        capacity: maximum number of queued items.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[ItemT], None],
        on_error: Callable[[Exception], None],
        capacity: int,
    ) -> None:
        self._handle = handle
        self._on_error = on_error
        self._queue: queue.Queue[ItemT | None] = queue.Queue(capacity)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: ItemT) -> bool:
        """Queue an item; false if the queue is full and the item was rejected."""
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            return False
        return True

    @property
    def backlog(self) -> int:
        """The number of queued items."""
        return self._queue.qsize()

    def stop(self) -> None:
        """Finish the current item, drop the others, end the thread."""
        self._stopping.set()
        try:
            self._queue.put_nowait(None)  # wakes a waiting thread
        except queue.Full:
            pass
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            item = self._queue.get()
            if item is None or self._stopping.is_set():
                return
            try:
                self._handle(item)
            except Exception as err:  # of any kind: the thread must survive
                self._on_error(err)
