#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""What pages take as the store keeps them, in bytes and in instructions (docs/store-codec.md).

    measure.py BENCH        (make bench-codec; BENCH is bench.c, linked)

Boots web servers, asks each of them twice, and takes the pages that VMs wrote out of the machine's
memory, with the pages that they were copied from; adds some that are made up. BENCH codes each with
EL2's code under -icount. Prints a table in Markdown; averages where a row has several pages.
"""

import glob
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

from machine import Machine  # noqa: E402

PAGE = 4096
RAM, IMAGE, SAMPLES = 0x40000000, 0x40200000, 0x48000000
VMS, PORTAL, TEMPLATE = 8, 1, 0x0F000000  # mm/frame.h: FRAME_OWNER_TEMPLATE
SHARED, PRIVATE, STAGE2 = 3, 4, 5  # mm/frame.h: enum frame_kind
ADDRESS = 0x0000FFFFFFFFF000  # of a table's entry
CODINGS = ("raw", "delta", "LZ4")


class Memory:
    """The RAM of a machine, through EL2's frame table (mm/frame_table.h)."""

    def __init__(self, ram):
        self.ram = ram
        listing = subprocess.run(["nm", ROOT / "build/toklat.elf"], capture_output=True, text=True,
                                 check=True).stdout
        [symbol] = [line.split() for line in listing.splitlines() if line.endswith(" frame_map")]
        at = int(symbol[0], 16) + IMAGE - RAM
        table, self.base, count = struct.unpack_from("<QQI", ram, at)
        uses = struct.unpack_from(f"<{2 * count}I", ram, table - RAM)[1::2]
        self.kind = [use >> 28 for use in uses]
        self.tables = {}  # the first table of each owner
        for i, use in enumerate(uses):
            if use >> 28 == STAGE2:
                self.tables.setdefault(use & 0xFFFFFFF, self.base + i * PAGE)

    def page(self, entry):
        at = (entry & ADDRESS) - RAM
        return self.ram[at:at + PAGE] if entry else bytes(PAGE)

    def pages(self, owner, template, kind):
        """(number, page, its base) of an owner's pages of a kind."""
        own, of_template = (
            struct.unpack("<512Q", self.page(self.tables[o])) for o in (owner, template)
        )
        for number, entry in enumerate(own):
            if entry and self.kind[((entry & ADDRESS) - self.base) // PAGE] == kind:
                yield number, self.page(entry), self.page(of_template[number])


def from_machine():
    """(row, page, base) of what VMs wrote."""
    with Machine("dts/web.dts", vms=VMS, mem="128M") as machine:
        machine.wait_until_serving()
        for number in list(range(1, VMS + 1)) * 2:
            machine.get(f"/vm/{number}/")
        descriptors = f"/proc/{machine._process.pid}/fd/*"
        [ram] = [fd for fd in glob.glob(descriptors) if "memfd" in os.readlink(fd)]
        memory = Memory(pathlib.Path(ram).read_bytes())
    for vm in range(2, VMS + 2):
        for number, page, base in memory.pages(vm, TEMPLATE + 1, PRIVATE):
            yield f"web clone, page {number}", page, base
    for _, page, base in memory.pages(PORTAL, TEMPLATE, PRIVATE):
        yield "portal, all pages", page, base
    for number, page, _ in memory.pages(TEMPLATE + 1, TEMPLATE + 1, SHARED):
        written = "code and constants" if number not in (1, 21, 22, 23, 63) else "the others"
        yield f"web template, {written}", page, bytes(PAGE)


def made_up():
    chance = random.Random(1)
    noise = chance.randbytes(PAGE)
    yield "zeroes", bytes(PAGE), bytes(PAGE)
    for count in (16, 64, 256):
        page = bytearray(noise)
        for word in chance.sample(range(512), count):
            page[8 * word] ^= 1
        yield f"{count} words of noise here and there", bytes(page), noise
    yield "noise", noise, bytes(PAGE)
    yield "C source", (ROOT / "mm/space.c").read_bytes()[:PAGE], bytes(PAGE)


def measure(bench, samples):
    """The numbers of each sample."""
    with tempfile.NamedTemporaryFile() as file:
        for row, page, base in samples:
            file.write(row.replace(" ", "_").encode().ljust(PAGE, b"\0") + page + base)
        file.write(bytes(PAGE))
        file.flush()
        done = subprocess.run(
            ["qemu-system-aarch64", "-machine", "virt", "-cpu", "cortex-a72", "-m", "256M",
             "-icount", "shift=0,sleep=off", "-display", "none", "-monitor", "none", "-serial",
             "none", "-nic", "none", "-semihosting-config", "enable=on,target=native", "-kernel",
             bench, "-device", f"loader,file={file.name},addr={SAMPLES:#x},force-raw=on"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, timeout=120,
        )
    lines = done.stdout.splitlines()
    if len(lines) != len(samples) or not all(line.split()[-1].isdigit() for line in lines):
        sys.exit(f"measure.py: {len(samples)} pages were given; the answer ends\n{lines[-1:]}")
    return [[int(n) for n in line.split()[1:]] for line in lines]


def mean(numbers):
    """Of those that there are: a page that stays raw has no cost of decoding a delta."""
    there = [n for n in numbers if n]
    return round(sum(there) / len(there)) if there else "-"


def main():
    samples = [*from_machine(), *made_up()]
    results = measure(sys.argv[1], samples)
    rows = {}
    for (row, _, _), numbers in zip(samples, results):
        rows.setdefault(row, []).append(numbers)
    print("| page | delta: bytes | encode | decode | LZ4: bytes | encode | decode "
          "| taken | bytes | encode | decode |")
    print("|" + " --- |" * 11)
    for row, lines in rows.items():
        delta, lz4, d_in, d_out, l_in, l_out, _, *taken = map(mean, [*zip(*lines)][:10])
        names = "/".join(CODINGS[c] for c in sorted({line[6] for line in lines}))
        cells = [row, delta, d_in, d_out, lz4, l_in, l_out, names, *taken]
        print("| " + " | ".join(map(str, cells)) + " |")
    print(f"\nchecksum of a page: {results[0][10]}")


if __name__ == "__main__":
    main()
