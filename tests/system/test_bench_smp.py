# SPDX-License-Identifier: BSD-2-Clause
"""make bench-smp: a short run. What the host gave its CPUs is not asked: the host of a test may
have other work."""

import json
import subprocess

import pytest

from machine import ROOT

pytestmark = pytest.mark.own_machine

SECONDS = 300


def test_a_short_run(tmp_path):
    out = tmp_path / "bench-smp.json"
    command = [ROOT / "tools/bench-smp", "--quick", "--no-http", "--out", out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS,
                          check=False)
    assert "seconds until 64 VMs have computed" in done.stdout, done.stdout + done.stderr
    result = json.loads(out.read_text())
    figure = result["computing_2_cpus"]
    assert figure["at_least"] == 1.8
    assert done.returncode == (0 if figure["value"] >= figure["at_least"] else 1)
    for smp, entry in result["computing"].items():
        assert entry["median"] > 0
        assert len(entry["cpus"]) == int(smp)
        assert sum(cpu["homes"] for cpu in entry["cpus"]) == result["vms"] + 1  # and the template
        assert all(cpu["homes"] > 0 and cpu["turns"] > 1 for cpu in entry["cpus"])
        assert entry["busiest_ratio"] > 0
