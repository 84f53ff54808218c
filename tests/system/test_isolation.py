# SPDX-License-Identifier: BSD-2-Clause
"""What VMs keep from each other: frames, memory and its translation, lives, console and CPU."""

import re
import time

import pytest

from groups import web_groups
from machine import Machine

GROUP = """
    {label}{name} {{
        compatible = "toklat,group";
        image = "{image}.elf";
        args = "{args}";
        start = "boot";
        {more}
    }};
"""
WEB_VMS = 5
WEB = web_groups(WEB_VMS)
RESETS = 3
WATCHERS = 300
VMIDS = 255
HOGS = 6
SHARE_TOLERANCE = 0.05
SHARE_US = 800_000  # CPU time of the lighter VM: its turns are 10 ms
SLOW_CPU = ["-icount", "shift=4,sleep=off"]  # 16 ns an instruction: time that the host cannot bend


def group(name, image="faulty", args=None, more="", label=""):
    args = name if args is None else args
    return GROUP.format(label=label, name=name, image=image, args=args, more=more)


def source(*groups):
    return '/dts-v1/;\n/ { compatible = "toklat,deployment-v1";\n' + "".join(groups) + "};\n"


def counters(machine):
    """The debug key `c`: what is counted, by its name."""
    start = machine.send_key("c")
    machine.wait_for(r"lines of VMs dropped", 60, start)
    return {name: int(n) for n, name in re.findall(r"(\d+) ([^,:;()\n]+)", machine.console(start))}


def cpu_us(machine, names):
    """The debug key `v`: CPU time of these VMs."""
    start = machine.send_key("v")
    found = {}
    for name in names:
        line = machine.wait_for(rf"^ *\d+ {name} \w+: .* (\d+) us of CPU", 60, start)
        found[name] = int(line.group(1))
    return found


# Frames.

@pytest.fixture(scope="module", name="wire")
def wire_fixture(tmp_path_factory):
    """Who lies, who may not talk and who listens; and what left the machine."""
    capture = tmp_path_factory.mktemp("wire") / "uplink.pcap"
    text = source(
        group("listen", label="listen: ", more='network = "internal";'),
        group("spoof", more='network = "internal"; peers = <&listen>;'),
        group("mute", more="peers = <&listen>;"),
        group("loud", more='network = "uplink"; peers = <&listen>;'),
    )
    dump = ["-object", f"filter-dump,id=dump,netdev=net0,file={capture}"]
    with Machine(text, mem="128M", qemu=dump) as machine:
        for name in ("listen", "spoof", "mute", "loud"):
            machine.wait_for(rf"^\[{name}/1\] (?:PASS|FAIL) {name}.*\n", 20)
        yield machine, counters(machine), capture


def test_only_true_senders_are_heard(wire):
    machine, count, _ = wire
    assert "FAIL" not in machine.console()
    assert "[listen/1] PASS" in machine.console()
    assert count["spoofed"] == 3


def test_nobody_talks_further_than_it_may(wire):
    _, count, _ = wire
    assert count["out of reach"] == 4  # three of one that is internal, one without a network
    assert count["to nobody"] == 2


def test_nothing_of_it_left_the_machine(wire):
    machine, _, capture = wire
    machine.stop()
    frames = capture.read_bytes()
    assert b"SOUND!" in frames
    assert b"WRONG!" not in frames


# Memory and lives.

@pytest.fixture(scope="module", name="lives")
def lives_fixture():
    text = source(
        group("before", "mmu", more="instances = <2>;"),
        group("after", "mmu", more="instances = <2>;"),
        group("reset", "clones", more=f"instances = <{RESETS}>;"),
    )
    with Machine(text, mem="128M") as machine:
        yield machine


@pytest.mark.any_board
@pytest.mark.parametrize("name", ["before", "after"])
@pytest.mark.parametrize("instance", [1, 2])
def test_translation_of_its_own(lives, name, instance):
    """The MMU is turned on before the checkpoint or after it; several run by turns."""
    lives.wait_for(rf"^\[{name}/{instance}\] (?:PASS|FAIL|killed).*\n", 20)
    assert f"[{name}/{instance}] PASS mmu" in lives.console()


@pytest.mark.any_board
def test_reset_begins_a_new_life(lives):
    for instance in range(1, RESETS + 1):
        lives.wait_for(rf"^\[reset/{instance}\] exited with status 0.*\n", 60)
    said = re.findall(r"^\[reset/\d\] (\w+) life: generation (\d+) seed (\w+) events 40$",
                      lives.console(), re.M)
    assert len(said) > RESETS
    assert {word for word, _, _ in said} == {"PASS"}
    assert len({generation for _, generation, _ in said}) == len(said)
    assert len({seed for _, _, seed in said}) == len(said)


@pytest.mark.any_board
@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a72"])
def test_more_vms_than_identifiers(cpu):
    """VMIDs roll over all the time; every VM finds what it wrote and what its template did."""
    watch = group("watch", "clones", "pattern", f"instances = <{WATCHERS}>;")
    assert WATCHERS > VMIDS
    with Machine(source(watch), mem="128M", cpu=cpu) as machine:
        machine.wait_until(lambda: machine.console().count("PASS pattern") == WATCHERS)
        start = machine.send_key("v")
        machine.wait_for(rf"group watch: .* {WATCHERS} live, 0 stored, 0 dead", 60, start)
        assert "FAIL" not in machine.console()


def test_out_of_memory_ends_who_asks():
    """More is touched than there is; who gets none ends, and all comes back."""
    hogs = group("hog", args="heap-exhaust", more=f"instances = <{HOGS}>; memory = <0x2000000>;")
    with Machine(source(WEB, hogs), mem="64M") as machine:
        for instance in range(1, HOGS + 1):
            machine.wait_for(rf"^\[hog/{instance}\] (?:killed|exited)", 30)
        machine.wait_for(r"^\[hog/\d\] killed: out of memory")
        machine.wait_until_serving()
        assert len(machine.status_of_all(WEB_VMS)) == WEB_VMS
        footprint = machine.footprint()
        whole, images = footprint["machine"], footprint["images"]
        assert whole["private_bytes"] == sum(i["uss_bytes"]["sum"] for i in images.values())
        assert whole["stage2_bytes"] <= 128 * 1024
        parts = sum(whole[f"{kind}_bytes"] for kind in ("el2", "stubs", "shared"))
        assert whole["free_bytes"] > whole["ram_bytes"] - parts - 1024 * 1024


# The CPU and the console.

def test_a_flood_of_lines_stops_nobody():
    flood = group("flood", args="flood-for-ever", more="instances = <2>;")
    with Machine(source(WEB, flood), mem="128M") as machine:
        machine.wait_until_serving()
        assert len(machine.status_of_all(WEB_VMS)) == WEB_VMS
        start = machine.position()
        machine.wait_for(r"^\[flood/1\] x+\r?\n", 60, start)
        machine.wait_for(r"^\[flood/2\] x+\r?\n", 60, start)


def test_weights_divide_the_cpu_and_others_answer():
    """Both spin for ever; shares are those of the hypervisor's own account."""
    light = group("light", args="spin", more="weight = <256>;")
    heavy = group("heavy", args="spin", more="weight = <768>;")
    names = ["light/1", "heavy/1"]
    with Machine(source(WEB, light, heavy), mem="128M", smp=1, qemu=SLOW_CPU) as machine:
        machine.wait_until_serving()
        machine.status_of_all(WEB_VMS)
        first = cpu_us(machine, names)
        used = {"light/1": 0, "heavy/1": 0}
        deadline = time.monotonic() + 60
        while used["light/1"] < SHARE_US and time.monotonic() < deadline:
            machine.get_json("/vm/3/status.json")
            now = cpu_us(machine, names)
            used = {name: now[name] - first[name] for name in names}
        assert used["light/1"] >= SHARE_US, used
        assert used["heavy/1"] / used["light/1"] == pytest.approx(3, rel=SHARE_TOLERANCE)
