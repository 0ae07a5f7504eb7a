"""Shows the nodes' logs where a test fails."""

from collections.abc import Generator
from pathlib import Path

import pytest
from harness import Graph


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the log of every process in every graph to a failed report."""
    report = yield
    if report.failed:
        for graph in Graph.alive:
            for name in graph.children:
                report.sections.append((f"log of {name}", graph.log(name)))
    return report


@pytest.fixture
def graph(tmp_path: Path) -> Generator[Graph]:
    """An empty graph for one test."""
    with Graph(tmp_path) as graph:
        yield graph
