"""From typing `./run demo` to the first depth, seconds; .venv must be there.

./run python benchmarks/start.py
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path

RUN = Path(__file__).resolve().parent.parent / 'run'
RUNS = 3


def main() -> None:
    """Start the demo several times; print each time and the median."""
    seconds = sorted(first_depth_s() for _ in range(RUNS))
    print(json.dumps({'start_to_first_depth_s': {'median': seconds[RUNS // 2], 'all': seconds}}))


def first_depth_s() -> float:
    """Return the time from start to the demo's line about its first depth."""
    with tempfile.TemporaryDirectory() as out:
        start = time.monotonic()
        command = [str(RUN), 'demo', '--seconds', '1', '--out', out]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as demo:
            assert demo.stderr is not None
            for line in demo.stderr:
                if 'first depth' in line:
                    took = time.monotonic() - start
        if demo.returncode:
            raise SystemExit(f'./run demo ended with exit code {demo.returncode}')
    return round(took, 2)


if __name__ == '__main__':
    main()
