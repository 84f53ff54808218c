# SPDX-License-Identifier: BSD-2-Clause
"""The virtual architecture as its page has it: the guest that the page ends with, guests of other
minor versions, and console input."""

import re
import struct
import subprocess

import pytest

from machine import ROOT, Machine

PAGE = ROOT / "docs/virtual-architecture.md"
BUILD_SECONDS = 30
NOTE = struct.pack("<III8s", 7, 24, 1, b"Toklat\0\0")  # what stands before the version
LONGEST = 90  # tests/guests/typist

DEPLOYMENT = """/dts-v1/;
/ {
    compatible = "toklat,deployment-v1";
    morning { compatible = "toklat,group"; image = "morning.elf"; start = "boot"; };
    older { compatible = "toklat,group"; image = "older.elf"; start = "boot"; args = "exit=3"; };
    later { compatible = "toklat,group"; image = "later.elf"; start = "boot"; };
};
"""

TYPED = """/dts-v1/;
/ {
    compatible = "toklat,deployment-v1";
    typist { compatible = "toklat,group"; image = "typist.elf"; start = "boot"; supervisor; };
    echo { compatible = "toklat,group"; image = "echo.elf"; start = "boot"; };
};
"""


def of_version(version):
    """hello, as if built for this version."""
    elf = bytearray((Machine.images() / "hello.elf").read_bytes())
    at = elf.index(NOTE) + len(NOTE)
    elf[at:at + 4] = struct.pack("<I", version)
    return elf


@pytest.fixture(scope="module", name="images")
def images_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    section = PAGE.read_text().split("## 13. The smallest guest")[1]
    source, commands = re.findall(r"^```\w*\n(.*?)^```$", section, re.M | re.S)
    (folder / "morning.S").write_text(source)
    for command in commands.splitlines():
        subprocess.run(command.split(), cwd=folder, check=True, timeout=BUILD_SECONDS)
    (folder / "older.elf").write_bytes(of_version(0x00010000))
    (folder / "later.elf").write_bytes(of_version(0x00010002))
    return folder


@pytest.fixture(scope="module", name="machine")
def machine_fixture(images):
    with Machine(DEPLOYMENT, images=images) as machine:
        yield machine


@pytest.mark.any_board
def test_the_smallest_guest_does_what_it_says(machine):
    machine.wait_for(r"^\[morning/1\] good morning\r?\n(.*\n)*?"
                     r"\[morning/1\] and good night\r?\n(.*\n)*?"
                     r"\[morning/1\] exited with status 0")


@pytest.mark.any_board
def test_a_guest_for_an_older_minor_version_runs(machine):
    machine.wait_for(r"^\[older/1\] hello, I am VM 2")
    machine.wait_for(r"^\[older/1\] exited with status 3")


@pytest.mark.any_board
def test_a_guest_for_a_later_minor_version_is_refused(machine):
    machine.wait_for(r"^toklat: error: group later: .*abi_version: 65538 .*limit 65537")


@pytest.mark.any_board
def test_what_is_typed_comes_to_the_guest_whole_and_in_order():
    with Machine(TYPED) as machine:
        machine.wait_for(r"^\[echo/1\] exited with status 42")
        lines = re.findall(r"^\[echo/1\] (\w+)\n", machine.console(), re.M)
    assert lines == [chr(ord("a") + n % 26) * n for n in range(1, LONGEST + 1)]
