# SPDX-License-Identifier: BSD-2-Clause
"""The machines that Toklat boots on, and how it is started and ended from a shell."""

import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException

import pytest

from machine import ROOT, Machine, free_port, make_deployment

RUN_SECONDS = 30
MANY_VMS, LITTLE_MEMORY = 420, "12M"


@pytest.mark.parametrize("cpu", ["cortex-a53", "cortex-a72", "max"])
@pytest.mark.parametrize("gic", [2, 3])
def test_boots_and_answers(cpu, gic):
    with Machine("dts/web.dts", vms=3, cpu=cpu, gic=gic) as machine:
        machine.wait_until_serving()
        assert machine.get_json("/vm/3/status.json")["instance"] == 3


@pytest.mark.parametrize("mem, mib", [("192M", 192), ("3G", 3072), ("8G", 8192)])
def test_memory_of_other_sizes(mem, mib):
    with Machine("dts/web.dts", vms=2, mem=mem) as machine:
        machine.wait_for(f" {mib} MiB of RAM")
        machine.wait_until_serving()
        assert machine.get_json("/vm/2/status.json")["instance"] == 2


def test_without_an_interrupt_controller_it_says_so_and_stops(tmp_path):
    tree = tmp_path / "machine.dtb"
    with Machine("dts/web.dts", vms=1, mem="128M",
                 qemu=["-machine", f"dumpdtb={tree}"]) as machine:
        machine.wait_for_end()
    subprocess.run(["fdtput", "-r", tree, "/intc@8000000"], check=True, timeout=RUN_SECONDS)
    with Machine("dts/web.dts", vms=1, mem="128M", qemu=["-dtb", tree]) as machine:
        machine.wait_for(r"toklat: error: interrupt controller.*stops")


def test_little_memory_is_an_answer_not_a_crash():
    """More VMs than fit: some are refused memory, the others serve."""
    with Machine("dts/web.dts", vms=MANY_VMS, mem=LITTLE_MEMORY) as machine:
        machine.wait_until_serving()
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda n: status_or_none(machine, n), range(1, MANY_VMS + 1)))
        assert answers[0] == 200
        assert set(answers) - {200}, "all of them fitted: the test needs more"
        assert set(answers) <= {200, 502, 503, 504}
        footprint = machine.footprint()["machine"]
        ram = footprint.pop("ram_bytes")
        assert sum(footprint.values()) == ram
        assert machine.get_json("/vm/1/status.json")["instance"] == 1
        start = machine.send_key("c")
        refused = machine.wait_for(r"(\d+) for VMs not ready", 20, start)
        assert int(refused.group(1)) > 0


def status_or_none(machine, number):
    try:
        return machine.get(f"/vm/{number}/", timeout=30)[0]
    except (OSError, HTTPException) as problem:
        return repr(problem)


LOADED_AT = 0x40200000  # where QEMU puts the image
STACKS, STACK_PAGES, GUARD_PAGES, PAGE = 8, 2, 1, 4096


def test_a_page_under_each_stack_is_not_mapped(tmp_path):
    monitor = tmp_path / "monitor"
    qemu = ["-monitor", f"unix:{monitor},server=on,wait=off"]
    with Machine("dts/hello.dts", vms=1, mem="128M", qemu=qemu) as machine:
        machine.wait_for("hello, I am VM 1")
        machine.send_key("h")  # EL2 answers and sleeps again: its translation is what is seen
        machine.wait_for("run queues and timeouts")
        first = LOADED_AT + symbol("stacks")
        for stack in range(STACKS):
            guard = first + stack * (GUARD_PAGES + STACK_PAGES) * PAGE
            assert "Cannot access memory" in ask(monitor, f"x /1x {guard:#x}")
            assert "Cannot access memory" in ask(monitor, f"x /1x {guard + PAGE - 4:#x}")
            for page in range(1, 1 + STACK_PAGES):
                assert "Cannot" not in ask(monitor, f"x /1x {guard + page * PAGE:#x}")
        assert "Cannot access memory" in ask(monitor, "x /1x 0")


def test_what_only_the_boot_needed_is_given_back(tmp_path):
    monitor = tmp_path / "monitor"
    qemu = ["-monitor", f"unix:{monitor},server=on,wait=off"]
    image = (ROOT / "build/toklat.bin").read_bytes()
    size = symbol("boot_end")
    with Machine("dts/web.dts", vms=MANY_VMS, mem=LITTLE_MEMORY, qemu=qemu) as machine:
        said = machine.wait_for(r"boot code (\d+) KiB, to be given back")
        assert int(said.group(1)) * 1024 == size > 0
        machine.wait_for("template of .* VMs")
        with ThreadPoolExecutor(16) as pool:  # clones until no frame is free
            list(pool.map(lambda n: status_or_none(machine, n), range(1, MANY_VMS + 1)))
        frames = machine.footprint()["machine"]
        assert sum(frames.values()) == 2 * frames["ram_bytes"]
        machine.check_alive()
        now = physical_memory(monitor, tmp_path, LOADED_AT, size)
        same = [now[at:at + PAGE] == image[at:at + PAGE] for at in range(0, size, PAGE)]
        assert not any(same), "a VM has had each of the pages"


# What has addresses of the boot, and may: only boot code reads it, or it is a range of memory.
MAY_POINT = {"machine", "gicv2_ops", "gicv3_ops", "bcm2836_ops", "_GLOBAL_OFFSET_TABLE_"}


def test_nothing_that_lives_on_points_to_what_was_given_back(tmp_path):
    monitor = tmp_path / "monitor"
    qemu = ["-monitor", f"unix:{monitor},server=on,wait=off"]
    low, high, first = map(symbol, ["image_start", "boot_end", "rodata_end"])
    end = symbol("boot_stack_top") - PAGE  # the last there is, but for stacks
    with Machine("dts/web.dts", vms=20, smp=4, store=tmp_path / "store.img", qemu=qemu) as machine:
        machine.wait_until_serving()
        data = physical_memory(monitor, tmp_path, LOADED_AT + first, end - first)
    words = struct.unpack(f"<{len(data) // 8}Q", data)
    holders = {holder_of(first + 8 * i) for i, word in enumerate(words)
               if LOADED_AT + low <= word < LOADED_AT + high}
    assert "machine" in holders, "the look finds what is known to be there"
    assert not holders - MAY_POINT


def physical_memory(monitor, folder, address, size):
    file = folder / "memory"
    ask(monitor, f'pmemsave {address:#x} {size:#x} "{file}"')
    return file.read_bytes()


def symbol(name):
    nm = subprocess.run(["aarch64-linux-gnu-nm", ROOT / "build/toklat.elf"], capture_output=True,
                        text=True, check=True, timeout=RUN_SECONDS)
    return next(int(line.split()[0], 16) for line in nm.stdout.splitlines()
                if line.split()[-1] == name)


def holder_of(address):
    """The symbol that an address of the image belongs to."""
    nm = ["aarch64-linux-gnu-nm", "--numeric-sort", ROOT / "build/toklat.elf"]
    listing = subprocess.run(nm, capture_output=True, text=True, check=True, timeout=RUN_SECONDS)
    name = None
    for value, found in re.findall(r"^(\w+) [abBdD] ([^$\s]+)$", listing.stdout, re.M):
        if int(value, 16) <= address and not found.endswith("_end"):
            name = found
    return name.split(".")[0]


def ask(monitor, command):
    """One command of QEMU's human monitor, and its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(RUN_SECONDS)
        connection.connect(str(monitor))
        read_until(connection.fileno(), b"(qemu) ")
        connection.sendall(command.encode() + b"\n")
        return read_until(connection.fileno(), b"\n(qemu) ").decode()


def test_entered_at_el1_it_says_so_and_stops():
    environment = {**os.environ, "PORT": str(free_port())}
    command = ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72", "-m", "128M"]
    command += ["-kernel", str(ROOT / "build/toklat.bin"), "-display", "none"]
    command += ["-nic", "none", "-monitor", "none", "-serial", "stdio"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          env=environment) as qemu:
        try:
            text = read_until(qemu.stdout.fileno(), b"EL2")
        finally:
            qemu.kill()
    assert b"EL1" in text


def read_until(source, wanted, timeout=RUN_SECONDS):
    """Reads from a descriptor until `wanted` has come."""
    text, deadline = b"", time.monotonic() + timeout
    while wanted not in text:
        ready, _, _ = select.select([source], [], [], max(0, deadline - time.monotonic()))
        assert ready, f"no {wanted!r} in {text!r}"
        chunk = os.read(source, 65536)
        assert chunk, f"ended without {wanted!r}: {text!r}"
        text += chunk
    return text


@pytest.fixture(scope="module", name="initrd")
def initrd_fixture(tmp_path_factory):
    return make_deployment("dts/web.dts", tmp_path_factory.mktemp("web"), {"VMS": 2})


def test_without_a_terminal_it_runs_until_told_to_end(initrd):
    environment = {**os.environ, "PORT": str(free_port())}
    with subprocess.Popen(["tools/run", initrd], cwd=ROOT, env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as run:
        read_until(run.stdout.fileno(), b"toklat")
        assert run.poll() is None
        run.send_signal(signal.SIGTERM)
        run.stdout.read()
        assert run.wait(RUN_SECONDS) == 0


def test_with_a_terminal_control_a_x_leaves(initrd):
    environment = {**os.environ, "PORT": str(free_port())}
    ours, theirs = pty.openpty()
    with subprocess.Popen(["tools/run", initrd], cwd=ROOT, env=environment, stdin=theirs,
                          stdout=theirs, stderr=theirs, start_new_session=True) as run:
        os.close(theirs)
        read_until(ours, b"toklat")
        os.write(ours, b"\x01x")
        assert run.wait(RUN_SECONDS) == 0
    os.close(ours)


def test_a_taken_port_is_said(initrd):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        done = subprocess.run(["tools/run", initrd], cwd=ROOT, capture_output=True, text=True,
                              env={**os.environ, "PORT": port}, timeout=RUN_SECONDS, check=False)
    assert done.returncode != 0
    assert port in done.stderr and "taken" in done.stderr
