# SPDX-License-Identifier: BSD-2-Clause
"""What the system tests share: the way to the harness, and the console of a machine that failed."""

import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from machine import Machine  # pylint: disable=wrong-import-position


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of its machine's console."""
    outcome = yield
    report = outcome.get_result()
    machine = item.funcargs.get("machine") if hasattr(item, "funcargs") else None
    if report.failed and isinstance(machine, Machine) and "--- console" not in report.longreprtext:
        report.sections.append(("console", machine.tail()))
