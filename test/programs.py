"""How tests start programs that they send signals to."""

from __future__ import annotations

import signal


def default_signals() -> None:
    """Undo what a shell sets for its background jobs, which ignore SIGINT; for `preexec_fn`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
