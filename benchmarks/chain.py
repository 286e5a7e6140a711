"""The nodes on the simulated camera at 30 frames a second: losses, latency, memory.

./run python benchmarks/chain.py --sweeps 200
./run python benchmarks/chain.py --sweeps 60 --composed
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from sff_ros.nodes.observer import Seen, observe

THREE = ('depth_node', 'inference_node', 'capture_node')


def main() -> int:
    """Run the nodes, watch them from a fourth process, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sweeps', type=int, default=200)
    parser.add_argument('--composed', action='store_true', help='one process instead of three')
    args = parser.parse_args()
    programs = ('all_in_one',) if args.composed else THREE
    seen = Seen()
    processes = {
        name: subprocess.Popen(
            [sys.executable, '-m', f'sff_ros.nodes.{name}', '--ros-args', '--log-level', 'warn']
        )
        for name in programs
    }
    try:
        clock = Clock(seen, args.sweeps)
        observe(seen, clock.go_on)
        peaks = {name: peak_mb(process.pid) for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.send_signal(signal.SIGINT)
        codes = [process.wait(20) for process in processes.values()]
    print(json.dumps(figures(seen, args.sweeps, clock.seconds, peaks, codes), indent=2))
    return int(any(codes))


class Clock:
    """Listens until enough sweeps arrived, and a little longer for late ones."""

    def __init__(self, seen: Seen, sweeps: int) -> None:
        self.seen = seen
        self.sweeps = sweeps
        self.first = 0.0
        self.last = 0.0

    @property
    def seconds(self) -> float:
        """Seconds from the first result to the last."""
        return self.last - self.first

    def go_on(self) -> bool:
        """Return whether to continue."""
        now = time.monotonic()
        if not self.first and self.seen.results:
            self.first = now
        if not self.last and len(self.seen.results) >= self.sweeps:
            self.last = now
        return not self.last or now - self.last < 2.5


def peak_mb(pid: int) -> float:
    """Return the peak resident memory of a process, MB."""
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmHWM'):
            return round(int(line.split()[1]) / 1024, 1)
    return float('nan')


def figures(
    seen: Seen, sweeps: int, seconds: float, peaks: dict[str, float], codes: list[int]
) -> dict[str, object]:
    """Return the results to print."""
    latency = np.array(seen.latencies_s) * 1e3
    capture, inference = seen.diagnostics['capture_node'], seen.diagnostics['inference_node']
    return {
        'processes': len(peaks),
        'sweeps': len(seen.results),
        'sweeps_per_second': round((sweeps - 1) / seconds, 3),
        'frames_per_second': float(capture['slices_hz']),
        'lost_sweeps': seen.lost_sweeps(),
        'dropped_slices': seen.dropped_slices(),
        'unmatched_slices': int(inference['unmatched_slices']),
        'last_slice_to_depth_ms': {
            'median': round(float(np.median(latency)), 1),
            'p95': round(float(np.percentile(latency, 95)), 1),
        },
        'peak_resident_mb': peaks,
        'exit_codes': codes,
    }


if __name__ == '__main__':
    sys.exit(main())
