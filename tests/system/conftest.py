# SPDX-License-Identifier: BSD-2-Clause
"""What the system tests share: the way to the harness, the console of a machine that failed, and
which machines a test was about (tools/board-matrix)."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from machine import Machine  # pylint: disable=wrong-import-position


def pytest_configure(config):
    config.addinivalue_line("markers", "any_board: needs no more of a machine than its console")
    config.addinivalue_line("markers", "own_machine: its number of CPUs is its own, or it has none")


def machines_of(item):
    """The machines that a test was given."""
    return [m for m in getattr(item, "funcargs", {}).values() if isinstance(m, Machine)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    before = len(Machine.booted)
    yield
    kinds = {machine.kind for machine in machines_of(item)} | set(Machine.booted[before:])
    item.user_properties += [("machine", kind) for kind in sorted(kinds)]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its machine's console."""
    outcome = yield
    report = outcome.get_result()
    for machine in machines_of(item):
        if report.failed and "--- console" not in report.longreprtext:
            report.sections.append(("console", machine.tail()))
