# SPDX-License-Identifier: BSD-2-Clause
"""The Raspberry Pi 3, as QEMU's raspi3b has it: what is found there, and what is made of device
trees that say something else."""

import re
import socket
import subprocess

import pytest

from boards import BOOT_SECONDS, TOOL_SECONDS, serves_and_stores, wait_for_vms
from machine import ROOT, Machine, make_deployment
from test_slip import fetch
from test_slip_host import needs_namespace

pytestmark = pytest.mark.own_machine

HEADER_MAGIC = slice(56, 60)  # of an arm64 Image: "ARM\x64"
PAGE = 4096

SLEEPERS = """/dts-v1/;
/ {
	compatible = "toklat,deployment-v1";
	sleeper {
		compatible = "toklat,group";
		image = "sleeper.elf";
		instances = <8>;
		start = "boot";
		args = "50";
	};
};
"""


@pytest.fixture(name="initrd", scope="module")
def initrd_fixture(tmp_path_factory):
    return make_deployment("dts/web.dts", tmp_path_factory.mktemp("web"), {"VMS": 4})


@pytest.fixture(name="tree")
def tree_fixture(tmp_path):
    """A copy of the board's device tree, to be spoilt."""
    tree = tmp_path / "tree.dtb"
    tree.write_bytes((ROOT / "build/boards/rpi3.dtb").read_bytes())
    return tree


def spoil(*command):
    subprocess.run([str(word) for word in command], check=True, timeout=TOOL_SECONDS)


def test_all_of_it_is_found(initrd):
    with Machine(initrd=initrd, board="rpi3") as machine:
        wait_for_vms(machine)
        console = machine.console()
    assert re.search(r"Toklat on Raspberry Pi 3 Model B, Cortex-A53, BCM2836, counter at \d+ Hz",
                     console)
    assert "960 MiB of RAM" in console
    assert re.search(r"^toklat: 4 CPUs", console, re.M)
    assert "uplink slip" in console
    assert "error" not in console


def test_an_image_without_a_header_boots_at_0x80000(initrd, tmp_path):
    image = bytearray((ROOT / "build/toklat.bin").read_bytes())
    assert image[HEADER_MAGIC] == b"ARM\x64"
    image[HEADER_MAGIC] = bytes(4)
    kernel = tmp_path / "kernel8.img"
    kernel.write_bytes(image)
    with Machine(initrd=initrd, board="rpi3", kernel=kernel) as machine:
        wait_for_vms(machine)


def interrupts(machine):
    start = machine.send_key("c")
    return int(machine.wait_for(r"(\d+) interrupts", 20, start).group(1))


def test_vms_get_their_timeouts():
    with Machine(SLEEPERS, board="rpi3") as machine:
        machine.wait_for(r"group sleeper: template of", BOOT_SECONDS)
        first = interrupts(machine)
        asked = 0

        def many_more():
            nonlocal asked
            asked += 1
            return interrupts(machine) > first + 3 * asked + 40

        machine.wait_until(many_more, what="interrupts of timers")


def test_it_is_powered_off(initrd):
    with Machine(initrd=initrd, board="rpi3") as machine:
        wait_for_vms(machine)
        machine.send_key("Q")
        assert machine.wait_for_end(60) == 0
        assert "cannot do that" not in machine.console()


def test_it_is_reset(initrd):
    with Machine(initrd=initrd, board="rpi3") as machine:
        wait_for_vms(machine)
        start = machine.send_key("R")
        machine.wait_for(r"^toklat: Toklat on Raspberry Pi 3", BOOT_SECONDS, start)
        machine.wait_for(r"^toklat: group web: template of", BOOT_SECONDS, start)


def el2_bytes(machine):
    footprint = machine.footprint()["machine"]
    ram = footprint.pop("ram_bytes")
    assert sum(footprint.values()) == ram
    return footprint["el2_bytes"]


@pytest.mark.parametrize("ranges", [True, False])
def test_reserved_memory_is_left_alone(initrd, tree, ranges):
    """With "ranges" missing as well, which is then said."""
    with Machine(initrd=initrd, board="rpi3") as machine:
        wait_for_vms(machine)
        before = el2_bytes(machine)
    spoil("fdtput", "-p", "-t", "x", tree, "/reserved-memory/gpu@30000000", "reg",
          "30000000", "1000000")
    if not ranges:
        spoil("fdtput", "-d", tree, "/reserved-memory", "ranges")
    with Machine(initrd=initrd, board="rpi3", tree=tree) as machine:
        wait_for_vms(machine)
        assert abs(el2_bytes(machine) - before - 0x1000000) <= 4 * PAGE
        said = "/reserved-memory/gpu@30000000: no sound ranges" in machine.console()
        assert said is not ranges


def test_an_unknown_interrupt_controller_is_named(initrd, tree):
    spoil("fdtput", "-t", "s", tree, "/soc/local_intc@40000000", "compatible", "acme,intc-9")
    with Machine(initrd=initrd, board="rpi3", tree=tree) as machine:
        machine.wait_for(r"error: device tree: interrupt controller .* is none that EL2 knows")
        machine.wait_for(r"error: interrupt controller and timers: not found; the machine stops")


def test_without_the_gpus_controller_the_rest_runs(initrd, tree):
    """Devices behind it have no interrupts: no keys, no uplink. VMs run."""
    spoil("fdtput", "-t", "s", tree, "/soc/interrupt-controller@7e00b200", "compatible", "acme,ic")
    with Machine(initrd=initrd, board="rpi3", tree=tree) as machine:
        wait_for_vms(machine)
        assert "console: no interrupt (invalid), so no debug keys" in machine.console()


def test_without_timers_it_says_so_and_stops(initrd, tree):
    spoil("fdtput", "-r", tree, "/timer")
    with Machine(initrd=initrd, board="rpi3", tree=tree) as machine:
        machine.wait_for(r"error: device tree: no arm,armv8-timer or arm,armv7-timer")
        machine.wait_for(r"error: interrupt controller and timers: .*; the machine stops")


def test_a_clock_of_0_hz_is_not_believed(initrd, tree):
    spoil("fdtput", "-t", "x", tree, "/timer", "clock-frequency", "0")
    with Machine(initrd=initrd, board="rpi3", tree=tree) as machine:
        machine.wait_for(r"clock-frequency of 0 Hz.*CNTFRQ_EL0")
        wait_for_vms(machine)


def asks_for_help(line):
    """Whether a console at the end of the line answers."""
    with socket.socket(socket.AF_UNIX) as console:
        console.settimeout(1)
        console.connect(line.removeprefix("unix:"))
        console.sendall(b"h")
        text = b""
        while b"this help" not in text and (more := console.recv(4096)):
            text += more
        return b"this help" in text


def test_without_stdout_path_the_console_is_serial0(initrd, tree):
    """Here the mini-UART, though the PL011 comes first in the tree."""
    spoil("fdtput", "-d", tree, "/chosen", "stdout-path")
    spoil("fdtput", "-t", "s", tree, "/aliases", "serial0", "/soc/serial@7e215040")
    with Machine(initrd=initrd, board="rpi3", tree=tree, append="slip=off") as machine:
        machine.wait_until(lambda: asks_for_help(machine.line), what="help")
        assert machine.console() == ""


@needs_namespace
def test_without_a_console_vms_are_served(initrd, tree):
    """Neither stdout-path nor a PL011: the mini-UART is the uplink."""
    spoil("fdtput", "-d", tree, "/chosen", "stdout-path")
    spoil("fdtput", "-t", "s", tree, "/soc/serial@7e201000", "compatible", "acme,uart")
    spoil("fdtput", "-d", tree, "/aliases", "serial0")
    with Machine(initrd=initrd, board="rpi3", tree=tree, append="slip=serial1") as machine:
        answers, _ = fetch(machine.line, "/vm/1/")
        assert answers[0].startswith("200 ")
        assert machine.console() == ""


@needs_namespace
def test_store_on_the_card_and_vms_behind_the_line(initrd, tmp_path):
    """All at once: four CPUs, SLIP, the card, power-off; then what was written comes back."""
    store = tmp_path / "card.img"
    serves_and_stores("rpi3", initrd, store)
    with Machine(initrd=initrd, board="rpi3", store=store) as machine:
        machine.wait_for(r"^toklat: store: .*", BOOT_SECONDS)
        answers, _ = fetch(machine.line, "/vm/4/status.json")
        assert answers[0].startswith("200 ")
        start = machine.send_key("s")
        found = machine.wait_for(r'"found_records":(\d+)', 20, start)
        assert int(found.group(1)) >= 2
