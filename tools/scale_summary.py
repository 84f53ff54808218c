# SPDX-License-Identifier: BSD-2-Clause
"""The figures of make bench-scale that are no point of its curve.

What a machine does not count yet is left out: every figure is there or is not.
"""

import json

from machine import ROOT
from scale_machine import Store

VMS = 100_000  # of the machine on which memory is overrun
STEP = 1_000  # VMs between two looks for the first eviction
WAKES = 2_000
WAKES_AT_ONCE = 8
WAKE_SECONDS = 20
FILL_SECONDS = 150
SHUTDOWN_SECONDS = 120
BENCH = ROOT / "build/bench.json"
BENCH_FIGURES = {"evict_instructions": "evict", "wake_instructions": "wake"}
TARGETS = {
    "one_read_wakes": ">= 0.95",
    "past_memory_throughput_ratio": ">= 0.5",
    "sd_full_over_one_page": ">= 3",
    "resident_before_first_eviction": ">= 25,000",
    "stub_bytes": "<= 64",
    "boot_first_answer_ratio": "<= 10",
    "worst_step_ratio": "of neighbours on the curve",
}


def million(vms, before, after):
    """The machine's totals before and after, and what the table of stubs takes for each VM."""
    return {
        "million": {"vms": vms, "before": before, "after": after},
        "stub_bytes": round(before["stubs_bytes"] / vms, 2),
    }


def of_curve(curve):
    """What follows from the curve and from make bench's figures."""
    found = {}
    rates = [p["requests_per_s"] for p in curve if p["mode"] == "full"]
    if len(rates) > 1 and all(rates):
        found["worst_step_ratio"] = round(min(b / a for a, b in zip(rates, rates[1:])), 3)
    bench = json.loads(BENCH.read_text()) if BENCH.exists() else {}
    for name, figure in BENCH_FIGURES.items():
        if figure in bench:
            found[name] = bench[figure]["value"]
    return found


def first_eviction(machine):
    """Brings VMs to life until one had to go. How many were resident then."""
    for first in range(1, machine.vms, STEP):
        machine.touch(first, first + STEP - 1)
        gate = machine.gate()
        if gate.get("evictions"):
            return gate.get("resident", first + STEP - 1)
    return None


def one_read_share(before, after):
    """Of the wakes between two counts, the share with a single read, reads of pages that were
    missed later included: at least so many, because only sums are counted."""
    wakes = after["wakes"] - before["wakes"]
    if not wakes:
        return None
    more = after["wake_reads"] - before["wake_reads"] - wakes
    return max(0, 1 - more / wakes)


def overrun(options, boot):
    """One machine: in memory, then over twice as many VMs as fit, then those that are out."""
    with Store() as store, boot(VMS, "full", store) as machine:
        fit = first_eviction(machine)
        if fit is None:
            return {}
        # The first ones are those that had to go.
        in_core = machine.closed(fit // 5, fit * 9 // 10, options.seconds)
        last = min(2 * fit, VMS)
        machine.touch(fit + 1, last)
        past = machine.closed(1, last, options.seconds)
        machine.touch(fit + 1, last)
        before = machine.gate()
        woken = machine.touch(1, WAKES, concurrency=WAKES_AT_ONCE)
        after = machine.gate()
    found = {
        "resident_before_first_eviction": fit,
        "in_core_requests_per_s": round(in_core["requests_per_s"], 1),
        "past_memory_requests_per_s": round(past["requests_per_s"], 1),
        "wake_p99_ms": woken["latency_us"]["p99"] / 1000,
        "wakes_measured": after.get("wakes", 0) - before.get("wakes", 0),
    }
    if in_core["requests_per_s"]:
        ratio = past["requests_per_s"] / in_core["requests_per_s"]
        found["past_memory_throughput_ratio"] = round(ratio, 3)
    share = one_read_share(before, after) if "wake_reads" in after else None
    return found | ({"one_read_wakes": round(share, 4)} if share is not None else {})


def slow_store(options, boot, vms):
    """Working sets against page by page, over `vms` VMs, more than fit, on a store as slow as an SD
    card: with the usual load, and when every request wakes a VM."""
    rates = {"": {}, "_wakes": {}}
    for mode in ("full", "one-page"):
        with Store(sd=True) as store, boot(vms, mode, store) as machine:
            machine.touch(1, vms, seconds=FILL_SECONDS)
            woken = machine.touch(1, WAKES, seconds=WAKE_SECONDS)
            rates["_wakes"][mode] = woken["requests_per_s"]
            rates[""][mode] = machine.closed(1, vms, options.seconds)["requests_per_s"]
    found = {}
    for what, rate in rates.items():
        for mode, value in rate.items():
            found[f"sd{what}_{mode.replace('-', '_')}_requests_per_s"] = round(value, 1)
        if rate["one-page"]:
            found[f"sd{what}_full_over_one_page"] = round(rate["full"] / rate["one-page"], 2)
    return found


def boots(boot):
    """How long the first answer takes with an empty store, and with one that holds VMs."""
    with Store() as store:
        with boot(VMS, "full", store) as machine:
            empty = machine.first_answer_s
            machine.touch(1, VMS, seconds=FILL_SECONDS)
            machine.send_key("Q")
            machine.wait_for_end(SHUTDOWN_SECONDS)
        with boot(VMS, "full", store) as machine:
            filled = machine.first_answer_s
            stored = machine.gate().get("stored", 0)
    return {
        "boot_first_answer_s": {"empty": round(empty, 2), "filled": round(filled, 2)},
        "boot_stored": stored,
        "boot_first_answer_ratio": round(filled / empty, 2),
    }


def measure(options, boot):
    """All that needs machines of its own."""
    found = {}
    if not options.over("VMs beyond memory"):
        found |= overrun(options, boot)
    fit = found.get("resident_before_first_eviction", VMS // 2)
    if options.sd and not options.over("a store as slow as an SD card"):
        found |= slow_store(options, boot, min(2 * fit, VMS))
    if not options.over("the boot of a filled store"):
        found |= boots(boot)
    return found


def table(summary):
    """The lines of the printed summary."""
    yield ""
    for name, value in summary.items():
        if isinstance(value, dict):
            continue
        yield f"{name:<34}{value:>14,}   {TARGETS.get(name, '')}".rstrip()
    totals = summary.get("million")
    if totals:
        yield ""
        yield f"{totals['vms']:,} VMs: the machine's memory, KiB" \
              f"{'before':>14}{'after':>14}"
        for part in totals["before"]:
            before, after = totals["before"][part], totals["after"][part]
            yield f"  {part:<36}{before / 1024:>14,.0f}{after / 1024:>14,.0f}"
