"""Kill the nodes again and again under respawn: time until depth is back, losses, leaks.

./run python benchmarks/chaos.py --kills 12
./run python benchmarks/chaos.py --kills 1000 --size 160x120

Each node in turn gets SIGKILL at a random moment and is started again at once. Sweeps lost are all
without depth, also those taken while a node was down. Exit code 1: depth did not come back, or a
node printed a traceback.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sff_ros.middleware import shared_memory
from sff_ros.nodes.observer import Seen, observe

NODES = ('capture_node', 'inference_node', 'depth_node')
LONGEST_CALM_S = 1.5  # of depth, before the next kill
TOO_LONG_S = 120.0


def main() -> int:
    """Run the nodes, kill them, watch them from a fourth process, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=12)
    parser.add_argument('--size', default='640x480', help='of the simulated images')
    parser.add_argument('--seed', type=int, default=1, help='of the random moments')
    args = parser.parse_args()
    width, _, height = args.size.partition('x')
    size = ['-p', f'simulated.width:={width}', '-p', f'simulated.height:={height}']
    seen = Seen()
    nodes = {name: Respawned(name, size if name == 'capture_node' else []) for name in NODES}
    chaos = Chaos(seen, nodes, args.kills, random.Random(args.seed))
    try:
        observe(seen, chaos.go_on)
    finally:
        for node in nodes.values():
            node.process.send_signal(signal.SIGINT)
        codes = [node.process.wait(60) for node in nodes.values()]
    tracebacks = sum(node.tracebacks for node in nodes.values())
    print(json.dumps(chaos.figures() | {'tracebacks': tracebacks, 'exit_codes': codes}, indent=2))
    return int(any(codes) or bool(chaos.failure) or tracebacks > 0)


class Respawned:
    """A node as a program, which may be killed and started again."""

    def __init__(self, name: str, parameters: list[str]) -> None:
        self.name = name
        self.tracebacks = 0
        self._command = [sys.executable, '-m', f'sff_ros.nodes.{name}', '--ros-args', *parameters]
        self.start()

    def start(self) -> None:
        """Start the program."""
        self.active_at = 0.0
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def kill(self) -> None:
        """Kill the program at any moment of its life."""
        self.process.kill()
        self.process.wait()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        """Note when the node becomes active; pass on its warnings and errors."""
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith('[INFO]') and line.endswith(': active\n'):
                self.active_at = time.monotonic()
            elif not line.startswith('[INFO]'):
                self.tracebacks += 'Traceback' in line
                sys.stderr.write(f'{self.name}: {line}')


@dataclass(slots=True)
class Chaos:
    """Decides whom to kill and when, and notes what follows."""

    seen: Seen
    nodes: dict[str, Respawned]
    kills: int
    chance: random.Random
    failure: str = ''
    killed: int = 0
    start_s: list[float] = field(default_factory=list)
    depth_s: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NODES})
    memory: list[dict[str, float]] = field(default_factory=list)
    _down: Respawned | None = None
    _next: float = 0.0
    _results: int = 0
    _since: float = field(default_factory=time.monotonic)

    def go_on(self) -> bool:
        """Kill, start, or wait; return whether to continue."""
        now = time.monotonic()
        if now - self._since > TOO_LONG_S:
            self.failure = f'no depth for {TOO_LONG_S:.0f} s after {self.killed} kills'
            return False
        if self._down is not None:
            self._wait_for_depth(self._down, now)
            return True
        if not self.seen.results:
            return True
        if not self._next:
            self._since = now
            self._next = now + self.chance.uniform(0.0, LONGEST_CALM_S)
            if not self.memory:
                self.memory.append(self._memory())
        if now < self._next:
            return True
        if self.killed == self.kills:
            self.memory.append(self._memory())
            return False
        self._down = self.nodes[NODES[self.killed % len(NODES)]]
        self._down.kill()
        self._down.start()
        self.killed += 1
        self._since, self._results = now, 0
        return True

    def _wait_for_depth(self, node: Respawned, now: float) -> None:
        """Note the time from activation to the first depth after it."""
        count = len(self.seen.results)
        if not node.active_at:
            self._results = count
        elif count > self._results:
            self.start_s.append(node.active_at - node.started_at)
            self.depth_s[node.name].append(now - node.active_at)
            self._down, self._next = None, 0.0

    def _memory(self) -> dict[str, float]:
        space = os.statvfs(shared_memory.FOLDER)
        used = (space.f_blocks - space.f_bfree) * space.f_frsize
        resident = sum(resident_mb(node.process.pid) for node in self.nodes.values())
        return {'dev_shm_mb': round(used / 1e6, 1), 'resident_mb': round(resident, 1)}

    def figures(self) -> dict[str, object]:
        """Return the results to print."""
        waits = [s for each in self.depth_s.values() for s in each]
        return {
            'kills': self.killed,
            'failure': self.failure,
            'start_to_active_s': spread(self.start_s),
            'active_to_depth_s': spread(waits)
            | {name: spread(each) for name, each in self.depth_s.items()},
            'before': self.memory[0] if self.memory else {},
            'after': self.memory[-1] if self.memory else {},
            'sweeps_with_depth': len(self.seen.results),
            'sweeps_lost': self.seen.lost_sweeps(),
        }


def spread(seconds: list[float]) -> dict[str, object]:
    """Return median and worst."""
    if not seconds:
        return {}
    return {'median': round(float(np.median(seconds)), 2), 'worst': round(max(seconds), 2)}


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process, MB."""
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmRSS'):
            return int(line.split()[1]) / 1024
    return float('nan')


if __name__ == '__main__':
    sys.exit(main())
