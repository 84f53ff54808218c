# SPDX-License-Identifier: BSD-2-Clause
"""A short run of make power-cut: nothing that was acknowledged is lost when the power is cut."""

import sys

from machine import ROOT

sys.path.insert(0, str(ROOT / "tests/fault"))

import power_cut  # pylint: disable=wrong-import-position

CUTS = 25
SEED = 1


def test_nothing_acknowledged_is_lost(tmp_path):
    run = power_cut.power_cuts(tmp_path, CUTS, power_cut.VMS, SEED)
    said = run.say("power cuts")
    assert run.totals["lossy"] > 0, said  # or nothing was put to the test
    assert run.acknowledged.checkpoints > 0, said
    assert len(run.sectors) == power_cut.VMS, said
