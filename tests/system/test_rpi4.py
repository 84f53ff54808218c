# SPDX-License-Identifier: BSD-2-Clause
"""The Raspberry Pi 4, as QEMU's raspi4b has it since 9.0: without Ethernet and PCI Express. The
environment's QEMU says which QEMU is taken."""

import os
import subprocess

import pytest

from boards import BOOT_SECONDS, TOOL_SECONDS, serves_and_stores, wait_for_vms
from machine import ROOT, Machine, make_deployment
from test_slip_host import needs_namespace


def has_board():
    done = subprocess.run([os.environ.get("QEMU", "qemu-system-aarch64"), "-machine", "help"],
                          capture_output=True, text=True, timeout=TOOL_SECONDS, check=False)
    return "raspi4b" in done.stdout


pytestmark = [
    pytest.mark.own_machine,
    pytest.mark.skipif(not has_board(), reason="this QEMU has no raspi4b (9.0 has it)"),
]


@pytest.fixture(name="initrd", scope="module")
def initrd_fixture(tmp_path_factory):
    return make_deployment("dts/web.dts", tmp_path_factory.mktemp("web"), {"VMS": 4})


def test_all_of_it_is_found(initrd):
    with Machine(initrd=initrd, board="rpi4") as machine:
        wait_for_vms(machine)
        console = machine.console()
    assert "Toklat on Raspberry Pi 4 Model B, Cortex-A72, GICv2, counter at" in console
    assert "960 MiB of RAM" in console, "QEMU tells no more"
    assert "\ntoklat: 4 CPUs" in console
    assert "error" not in console


def test_memory_in_two_ranges(initrd, tmp_path):
    """As the firmware of a board with more than 1 GiB describes it: the GPU has what is between."""
    tree = tmp_path / "tree.dtb"
    tree.write_bytes((ROOT / "build/boards/rpi4.dtb").read_bytes())
    for values in (["-p", "-t", "s", tree, "/upper", "device_type", "memory"],
                   ["-t", "x", tree, "/upper", "reg", "0", "40000000", "3c000000"]):
        subprocess.run(["fdtput", *map(str, values)], check=True, timeout=TOOL_SECONDS)
    with Machine(initrd=initrd, board="rpi4", tree=tree) as machine:
        machine.wait_for(r"^toklat: 1920 MiB of RAM", BOOT_SECONDS)
        wait_for_vms(machine)
        footprint = machine.footprint()["machine"]
        assert footprint.pop("ram_bytes") == 1920 << 20 == sum(footprint.values())


def test_it_is_powered_off_and_reset(initrd):
    with Machine(initrd=initrd, board="rpi4") as machine:
        wait_for_vms(machine)
        start = machine.send_key("R")
        machine.wait_for(r"^toklat: Toklat on Raspberry Pi 4", BOOT_SECONDS, start)
        machine.wait_for(r"^toklat: group web: template of", BOOT_SECONDS, start)
        machine.send_key("Q")
        assert machine.wait_for_end(60) == 0


@needs_namespace
def test_store_on_the_card_and_vms_behind_the_line(initrd, tmp_path):
    serves_and_stores("rpi4", initrd, tmp_path / "card.img")
