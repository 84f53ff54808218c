# SPDX-License-Identifier: BSD-2-Clause
"""All CPUs start, as many as the device tree lists and EL2 has room for."""

import socket
import subprocess

import pytest

from machine import Machine

pytestmark = pytest.mark.own_machine

RUN_SECONDS = 30
LOADED_AT = 0x40200000  # where QEMU puts the image
INVALID_PARAMETERS, ALREADY_ON = -2, -4  # PSCI, DEN0022 5.2.2
NOBODY = "4c000000"  # RAM that no CPU polls and nothing uses at boot


@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a72", "max"])
@pytest.mark.parametrize("gic", [2, 3])
def test_four_cpus_come_up(cpu, gic):
    with Machine("dts/hello.dts", vms=1, mem="256M", cpu=cpu, gic=gic, smp=4) as machine:
        machine.wait_for(r"toklat: 4 CPUs\r")
        machine.wait_for("hello, I am VM 1")
        assert "warning: CPU" not in machine.console()


@pytest.mark.parametrize("gic, cpus", [(2, 8), (3, 8), (3, 11)])
def test_eight_cpus_are_the_most(gic, cpus):
    with Machine("dts/hello.dts", vms=1, mem="256M", gic=gic, smp=cpus) as machine:
        machine.wait_for(r"toklat: 8 CPUs\r")
        machine.wait_for("hello, I am VM 1")
        said = f"not used: {cpus - 8} above the limit of 8" in machine.console()
        assert said == (cpus > 8)


def dump_tree(folder, cpus):
    tree = folder / "machine.dtb"
    with Machine("dts/hello.dts", vms=1, mem="256M", smp=cpus,
                 qemu=["-machine", f"dumpdtb={tree}"]) as machine:
        machine.wait_for_end()
    return tree


@pytest.fixture(scope="module", name="tree_of_four")
def tree_of_four_fixture(tmp_path_factory):
    return dump_tree(tmp_path_factory.mktemp("tree"), 4)


def test_every_cpu_has_its_translation(tmp_path):
    """QEMU's monitor reads as the CPU that it looks at does: EL2 maps no page 0. A CPU that is
    just then in a guest reads as the guest, and is asked again."""
    monitor = tmp_path / "monitor"
    qemu = ["-monitor", f"unix:{monitor},server=on,wait=off"]
    with Machine("dts/hello.dts", vms=1, mem="256M", smp=4, qemu=qemu) as machine:
        machine.wait_for(r"toklat: 4 CPUs\r")
        machine.wait_for("hello, I am VM 1")
        for cpu in range(4):
            machine.wait_until(lambda cpu=cpu: maps_the_image_alone(monitor, cpu), RUN_SECONDS,
                               f"CPU {cpu} is in EL2")


def maps_the_image_alone(monitor, cpu):
    answer = ask(monitor, f"cpu {cpu}", "x /1x 0", f"x /1x {LOADED_AT:#x}")
    at_zero, _, at_image = answer.rpartition("(qemu) x")
    return "Cannot access memory" in at_zero and "Cannot access memory" not in at_image


def ask(monitor, *commands):
    """Commands of QEMU's human monitor, on one connection, and their answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(RUN_SECONDS)
        connection.connect(str(monitor))
        connection.sendall("".join(f"{command}\n" for command in commands).encode())
        text = b""
        while text.count(b"\n(qemu) ") <= len(commands):
            chunk = connection.recv(4096)
            assert chunk, text
            text += chunk
        return text.decode()


def boot_edited(tree, folder, *edits, cpus=4):
    """A machine whose tree was edited with the arguments of fdtput."""
    edited = folder / "edited.dtb"
    edited.write_bytes(tree.read_bytes())
    for options, *arguments in edits:
        subprocess.run(["fdtput", *options.split(), edited, *arguments], check=True,
                       timeout=RUN_SECONDS)
    return Machine("dts/hello.dts", vms=1, mem="256M", smp=cpus, qemu=["-dtb", edited])


SPIN_AT_NOBODY = [("-t s", "/cpus/cpu@2", "enable-method", "spin-table"),
                  ("-t x", "/cpus/cpu@2", "cpu-release-addr", "0", NOBODY)]


@pytest.mark.parametrize("edits, why", [
    ([("-t x", "/cpus/cpu@2", "reg", "77")], rf"input/output error.*{INVALID_PARAMETERS}"),
    ([("-t x", "/cpus/cpu@2", "reg", "1")], rf"input/output error.*{ALREADY_ON}"),
    ([("-d", "/cpus/cpu@2", "enable-method")], "unsupported"),
    ([("-t s", "/cpus/cpu@2", "enable-method", "spin-table")], "invalid"),
    (SPIN_AT_NOBODY, "busy"),
    ([SPIN_AT_NOBODY[0], ("-t x", "/cpus/cpu@2", "cpu-release-addr", "0", "40201000")], "invalid"),
    ([SPIN_AT_NOBODY[0], ("-t x", "/cpus/cpu@2", "cpu-release-addr", "0", "4c000004")], "invalid"),
    ([SPIN_AT_NOBODY[0], ("-t x", "/cpus/cpu@2", "cpu-release-addr", "80", "0")], "range"),
])
def test_a_cpu_that_does_not_start_is_said_and_the_rest_goes_on(tree_of_four, tmp_path, edits, why):
    with boot_edited(tree_of_four, tmp_path, *edits) as machine:
        machine.wait_for(rf"warning: CPU 2, reg \w+, does not start: .*{why}")
        machine.wait_for(r"toklat: 3 CPUs of 4\r")
        machine.wait_for("hello, I am VM 1")


def test_a_cpu_without_an_interrupt_interface_halts(tree_of_four, tmp_path):
    """The redistributors' range, 0x20000 bytes for each CPU, has room for three."""
    edit = ("-t x", "/intc@8000000", "reg", *"0 8000000 0 10000 0 80a0000 0 60000".split())
    with boot_edited(tree_of_four, tmp_path, edit) as machine:
        machine.wait_for("warning: CPU 3, reg 3, does not start: not found")
        machine.wait_for(r"toklat: 3 CPUs of 4\r")
        machine.wait_for("hello, I am VM 1")


@pytest.mark.parametrize("edits, cpus", [
    ([("-t s", "/cpus/cpu@2", "status", "fail")], 3),
    ([("-t s", "/cpus/cpu@2", "status", "fail-ecc")], 3),
    ([("-t s", "/cpus/cpu@2", "status", "disabled")], 4),  # waits to be started
    ([("-d", "/cpus/cpu@2", "device_type")], 3),
    ([("-d", "/cpus/cpu@2", "reg")], 3),
    ([("-r", "/cpus")], 1),
    ([("-t x", "/cpus", "#address-cells", "3"),
      *(("-t x", f"/cpus/cpu@{n}", "reg", "0", "0", str(n)) for n in range(4))], 1),
    # The boot CPU is found wherever it is.
    ([("-t x", "/cpus/cpu@0", "reg", "3"), ("-t x", "/cpus/cpu@3", "reg", "0")], 4),
    ([("-t x", "/cpus", "#address-cells", "2"),
      *(("-t x", f"/cpus/cpu@{n}", "reg", "0", str(n)) for n in range(4))], 4),
])
def test_the_tree_says_which_cpus_there_are(tree_of_four, tmp_path, edits, cpus):
    with boot_edited(tree_of_four, tmp_path, *edits) as machine:
        machine.wait_for(rf"toklat: {cpus} CPUs?\r")
        machine.wait_for("hello, I am VM 1")
        assert "does not start" not in machine.console()


def test_the_boot_cpu_is_used_though_it_comes_last(tmp_path):
    edits = [("-t x", "/cpus/cpu@0", "reg", "8"), ("-t x", "/cpus/cpu@8", "reg", "0")]
    with boot_edited(dump_tree(tmp_path, 9), tmp_path, *edits, cpus=9) as machine:
        machine.wait_for("not used: 1 above the limit of 8")
        machine.wait_for(r"toklat: 8 CPUs\r")
