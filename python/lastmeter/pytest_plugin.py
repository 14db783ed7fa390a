"""A fixture for pytest: run a scenario, and see in a failed test which checks did not pass."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from .errors import RecordError
from .program import run
from .record import Run, Suite

_results = pytest.StashKey[list[Any]]()


@pytest.fixture
def lastmeter_run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Run | Suite]:
    """Runs scenarios as `lastmeter.run` does, each into a folder of its own below `tmp_path`.

    A relative path is taken from the folder of the test, if the file is there.
    """
    results = request.node.stash.setdefault(_results, [])

    def run_into_tmp_path(path: Any, out: Any = None, **options: Any) -> Run | Suite:
        if isinstance(path, (str, Path)) and (request.path.parent / path).exists():
            path = request.path.parent / path
        result = run(path, out or tmp_path / f"run-{len(results) + 1}", **options)
        results.append(result)
        return result

    return run_into_tmp_path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Adds to the report of a failed test what its runs came to."""
    report = yield
    if report.failed:
        for result in item.stash.get(_results, []):
            try:
                if not result.passed:
                    report.sections.append(("lastmeter", result.explanation()))
            except RecordError as error:
                report.sections.append(("lastmeter", str(error)))
    return report
