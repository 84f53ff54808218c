# SPDX-License-Identifier: BSD-2-Clause
"""make bench-scale: a short run in a namespace of its own, and the figures and pictures that it
makes of what machines said, with machines that only play to be some."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as xml

import pytest

import scale_summary
import scale_svg
from machine import ROOT

pytestmark = pytest.mark.own_machine

POINT = {"vms", "resident", "requests_per_s", "p50_ms", "p99_ms", "wakes", "reads_per_wake",
         "mode"}


def tap_possible():
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError:
        return False
    probe = ["unshare", "--user", "--map-root-user", "--net", "true"]
    return bool(shutil.which("ip")) and subprocess.run(probe, check=False).returncode == 0


needs_tap = pytest.mark.skipif(not tap_possible(), reason="no ip, /dev/net/tun or namespaces")


def running(pid):
    """Whether that process is there, and not only waits for its parent's look."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@needs_tap
def test_a_short_run(tmp_path):
    out = tmp_path / "scale.json"
    command = [ROOT / "tools/bench-scale", "--vms", "50,300", "--modes", "full,synchronous"]
    command += ["--seconds", "1", "--no-summary", "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(out.read_text())
    assert [(p["mode"], p["vms"]) for p in result["curve"]] == [
        ("full", 50), ("full", 300), ("synchronous", 50), ("synchronous", 300)]
    for point in result["curve"]:
        assert set(point) == POINT
        assert point["resident"] == point["vms"]
        assert point["requests_per_s"] > 50
        assert 0 < point["p50_ms"] <= point["p99_ms"]
    assert "events batched / at once" in done.stdout
    xml.parse(out.with_suffix(".svg"))


@needs_tap
def test_the_namespace_leads_to_the_switch_and_leaves_nobody_behind():
    script = "until [ $(wc -l </proc/net/packet) -gt 1 ]; do sleep 0.02; done; "  # it listens
    script += "ip route get 10.80.0.0; ip neighbour; pgrep -P $$ answer-arp"
    done = subprocess.run([ROOT / "tools/in-namespace", "sh", "-c", script], capture_output=True,
                          text=True, timeout=30, check=True)
    assert "via 10.0.0.1 dev tap0 src 10.0.0.2" in done.stdout
    assert "02:54:4b:ff:ff:ff" in done.stdout
    responder = int(done.stdout.split()[-1])
    limit = time.monotonic() + 10
    while running(responder):
        assert time.monotonic() < limit, "the ARP responder outlives its namespace"
        time.sleep(0.02)


@needs_tap
def test_the_namespace_passes_the_exit_status_on():
    done = subprocess.run([ROOT / "tools/in-namespace", "sh", "-c", "exit 7"], timeout=30,
                          check=False)
    assert done.returncode == 7


class Pretender:
    """A machine in which `room` VMs fit; the longest idle ones go first."""

    def __init__(self, vms, room, reads=1, first_answer_s=1.0):
        self.vms, self.room, self.reads = vms, room, reads
        self.first_answer_s = first_answer_s
        self.resident, self.out = {}, set()
        self.wakes = self.evictions = 0
        self.asked = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def _ask(self, vm):
        if vm in self.out:
            self.out.remove(vm)
            self.wakes += 1
        self.resident.pop(vm, None)
        self.resident[vm] = True
        if len(self.resident) > self.room:
            oldest = next(iter(self.resident))
            del self.resident[oldest]
            self.out.add(oldest)
            self.evictions += 1

    def touch(self, first, last, **_):
        for vm in range(first, last + 1):
            self._ask(vm)
        return {"latency_us": {"p99": 1500 + (self.wakes > 0)}, "outcomes": {},
                "requests_per_s": 600.0 / self.reads}

    def send_key(self, key):
        assert key == "Q"
        self.out |= set(self.resident)
        self.resident = {}

    def wait_for_end(self, _timeout):
        assert not self.resident, "nobody asked it to end"

    def closed(self, first, last, _seconds):
        self.asked.append((first, last))
        return {"requests_per_s": 4000.0 if last - first < self.room else 3000.0}

    def gate(self):
        return {"resident": len(self.resident), "evictions": self.evictions,
                "wakes": self.wakes, "wake_reads": self.wakes * self.reads,
                "stored": len(self.out)}


@pytest.fixture(name="no_store", autouse=True)
def no_store_fixture(monkeypatch):
    monkeypatch.setattr(scale_summary, "Store", lambda sd=False: contextlib.nullcontext(""))


class Options:
    seconds, sd = 1, True

    @staticmethod
    def over(_what):
        return False


def test_overrun():
    machine = Pretender(100_000, 30_000)
    found = scale_summary.overrun(Options, lambda *_: machine)
    assert found["resident_before_first_eviction"] == 30_000
    (low, high), (first, last) = machine.asked
    assert high - low < 30_000 and high <= 30_000
    assert (first, last) == (1, 60_000)
    assert found["past_memory_throughput_ratio"] == 0.75
    assert found["wakes_measured"] == scale_summary.WAKES
    assert found["one_read_wakes"] == 1
    assert found["wake_p99_ms"] == 1.501


def test_one_read_share():
    def share(wakes, reads, **more):
        return scale_summary.one_read_share(
            {"wakes": 10, "wake_reads": 10} | {k: 0 for k in more},
            {"wakes": 10 + wakes, "wake_reads": 10 + reads} | more)
    assert share(100, 100) == 1
    assert share(100, 105) == 0.95
    assert share(100, 500) == 0
    assert share(0, 0) is None


def test_nothing_had_to_go():
    assert scale_summary.overrun(Options, lambda *_: Pretender(3000, 5000)) == {}


def test_slow_store_and_boots():
    def boot(_vms, mode, _store):
        machine = Pretender(100_000, 30_000, reads=1 if mode == "full" else 6)
        machine.closed = lambda *_: {"requests_per_s": 900.0 if mode == "full" else 200.0}
        return machine
    found = scale_summary.slow_store(Options, boot, 60_000)
    assert found["sd_full_over_one_page"] == 4.5
    assert found["sd_wakes_full_over_one_page"] == 6
    empty, filled = Pretender(100_000, 30_000), Pretender(100_000, 30_000, first_answer_s=3.5)
    filled.out = empty.out
    machines = iter([empty, filled])
    found = scale_summary.boots(lambda *_: next(machines))
    assert found["boot_first_answer_ratio"] == 3.5
    assert len(empty.out) == 100_000


def curve_of(rates, mode="full"):
    return [{"mode": mode, "vms": 10 ** (3 + i), "requests_per_s": r, "p99_ms": 5.0 + i}
            for i, r in enumerate(rates)]


def test_the_worst_step_of_the_curve():
    found = scale_summary.of_curve(curve_of([4000, 4000, 1000, 900]))
    assert found["worst_step_ratio"] == 0.25
    assert "worst_step_ratio" not in scale_summary.of_curve(curve_of([4000, 0]))


def test_the_picture_has_a_line_a_mode_and_a_dot_a_point():
    curve = curve_of([4000, 3000, 2000, 0]) + curve_of([3900, 500], "one-page")
    drawing = xml.fromstring(scale_svg.draw(curve))
    name = "{http://www.w3.org/2000/svg}"
    circles = drawing.findall(f"{name}circle")
    assert len(circles) == 5 + 6  # what was not answered has no throughput
    width, height = map(float, drawing.get("viewBox").split()[2:])
    for circle in circles:
        assert 0 < float(circle.get("cx")) < width
        assert 0 < float(circle.get("cy")) < height
    titles = [c.find(f"{name}title").text for c in circles]
    assert any(re.search(r"one-page, 10,000 VMs: 500", title) for title in titles)
    heights = [float(c.get("cy")) for c in circles[:3]]
    assert heights == sorted(heights)  # less throughput is further down
    assert xml.fromstring(scale_svg.draw([])) is not None
