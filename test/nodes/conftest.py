"""A live graph for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from live_graph import Graph, StartGraph

from sff_ros.nodes import diagnostics


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[StartGraph]:
    """Start nodes with the parameters given by node; they are taken down after the test."""
    monkeypatch.setattr(diagnostics, '_PERIOD_S', 0.1)  # not to wait a second each time
    graphs: list[Graph] = []

    def make(
        *makers: Any, namespace: str = '', log_level: str = 'fatal', **parameters: dict[str, Any]
    ) -> Graph:
        graphs.append(Graph(makers, parameters, namespace, log_level))
        return graphs[-1]

    yield make
    for graph in graphs:
        graph.close()
