# SPDX-License-Identifier: BSD-2-Clause
"""The instruction counts, held to the budgets of docs/limits.md, with few VMs and with many, and on
several CPUs."""

import json
import subprocess

import pytest

from machine import ROOT

pytestmark = pytest.mark.own_machine

FIGURES = [
    "null_hypercall", "vm_switch", "timer_irq", "first_touch", "cow_write", "notify_round_trip",
    "clone_create", "clone_first_instruction", "destroy", "event_take", "event_batched",
    "packet_vm_to_vm", "http_request", "evict", "wake", "move_shared",
]
UNBUDGETED = {"http_request", "move_shared"}
FAST_PATHS = [
    "null_hypercall", "vm_switch", "timer_irq", "first_touch", "cow_write", "notify_round_trip",
    "event_take", "event_batched", "packet_vm_to_vm",
]
BETWEEN_CPUS = {"packet_between_cpus": 1500, "round_trip_between_cpus": 6000}
SMP_DIFFERS = 0.05
SMP_ROUNDING = 0.5
GROWTH = 1.10
ROUNDING = 1


@pytest.fixture(scope="module", name="bench")
def bench_fixture():
    (ROOT / "build/bench.json").unlink(missing_ok=True)
    done = subprocess.run([ROOT / "tools/bench"], cwd=ROOT, capture_output=True, text=True,
                          timeout=400, check=False)
    print(done.stdout, done.stderr)
    assert done.stdout, done.stderr
    return json.loads((ROOT / "build/bench.json").read_text())


@pytest.mark.parametrize("name", FIGURES)
def test_within_budget(bench, name):
    for key in (name, f"{name}@1000000"):
        entry = bench[key]
        assert entry["value"] > 0
        assert entry["unit"]
        if name not in UNBUDGETED:
            assert entry["value"] <= entry["budget"]


@pytest.mark.parametrize("name", [name for name in FIGURES if name != "move_shared"])
def test_does_not_grow_with_the_number_of_vms(bench, name):
    assert bench[f"{name}@1000000"]["vms"] == 1_000_000
    assert bench[f"{name}@1000000"]["value"] <= bench[name]["value"] * GROWTH + ROUNDING


@pytest.mark.parametrize("name", FAST_PATHS)
def test_costs_the_same_on_a_machine_of_four_cpus(bench, name):
    several = bench[f"{name}@smp4"]
    assert several["cpus"] == 4
    differs = abs(several["value"] - bench[name]["value"])
    assert differs <= bench[name]["value"] * SMP_DIFFERS + SMP_ROUNDING


@pytest.mark.parametrize("name, budget", BETWEEN_CPUS.items())
def test_between_cpus_within_budget(bench, name, budget):
    entry = bench[f"{name}@smp4"]
    assert 0 < entry["value"] <= entry["budget"] == budget
    assert name not in bench  # with one CPU there is no such thing
