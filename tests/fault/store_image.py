# SPDX-License-Identifier: BSD-2-Clause
"""Reads words of VMs' memory out of a store's file (docs/store-format.md), for tests."""

import json
import struct
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TOOL = ROOT / "build/toklat"
SECTOR = 512
PAGE = 4096
BATCH_MAGIC = 0x686374426B6C6F54
RECORD_MAGIC = 0x726363526B6C6F54
CHECKPOINT_MAGIC = 0x6B6368436B6C6F54
BATCH_HEAD = struct.Struct("<QII16sQQIIII")
BATCH_HEAD_BYTES = 96
ENTRY = struct.Struct("<IB3xIHBBQ")
RECORD_HEAD = struct.Struct("<QII16sQQQIIIIIHH")
PAGE_ENTRY = struct.Struct("<HHI")
RAW, DELTA, LZ4, HOLE = 0, 1, 2, 3


def tool(*arguments):
    """Runs toklat store; returns what it did."""
    return subprocess.run(
        [TOOL, "store", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def listed(path, *options):
    """What toklat store list says, by slot."""
    done = tool("list", path, "--json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return {entry["slot"]: entry for entry in json.loads(done.stdout)}


def symbol(image, name):
    """Address of a guest's variable, by the image with symbols."""
    elf = ROOT / f"build/guests/obj/{image}/{image}.elf"
    lines = subprocess.check_output(["nm", elf], text=True).splitlines()
    return next(int(line.split()[0], 16) for line in lines if line.split()[-1] == name)


def is_checkpoint(data):
    """Whether a write is the head of a checkpoint, which completes it."""
    return struct.unpack_from("<Q", data)[0] == CHECKPOINT_MAGIC


def batch_entries(data):
    """(sequence, [(slot, sector or marker), ...]) of the batch that data begins with, or None."""
    if len(data) < PAGE or struct.unpack_from("<Q", data)[0] != BATCH_MAGIC:
        return None
    head = BATCH_HEAD.unpack_from(data)
    entries = [ENTRY.unpack_from(data, BATCH_HEAD_BYTES + ENTRY.size * i) for i in range(head[9])]
    return head[4], [(entry[0], entry[2]) for entry in entries]


def sequence_of_batch(file, sector):
    file.seek(sector * SECTOR)
    batch = batch_entries(file.read(PAGE))
    return batch and batch[0]


def sequence_of_record(file, sector):
    file.seek(sector * SECTOR)
    head = RECORD_HEAD.unpack(file.read(RECORD_HEAD.size))
    return head[4] if head[0] == RECORD_MAGIC else None


def unpack_lz4(block, enough):
    """The first bytes, at least `enough` if there are as many, of a block of LZ4."""
    out, at = bytearray(), 0

    def length(nibble):
        nonlocal at
        more = nibble == 15
        while more:
            nibble += block[at]
            more = block[at] == 255
            at += 1
        return nibble

    while at < len(block) and len(out) < enough:
        token = block[at]
        at += 1
        literals = length(token >> 4)
        out += block[at:at + literals]
        at += literals
        if at < len(block):
            back = struct.unpack_from("<H", block, at)[0]
            at += 2
            for _ in range(length(token & 15) + 4):
                out.append(out[-back])
    return bytes(out)


def word_of_page(coding, code, offset, default):
    """The 64-bit word at `offset` of a coded page; what a delta leaves out is `default`."""
    if coding == DELTA:
        bits = int.from_bytes(code[:64], "little")
        if not bits >> offset // 8 & 1:
            return default
        at = 64 + 8 * bin(bits & (1 << offset // 8) - 1).count("1")
    elif coding == LZ4:
        size = struct.unpack_from("<Q", code)[0]
        code, at = unpack_lz4(code[8:8 + size], offset + 8), offset
    elif coding == RAW:
        at = offset
    else:
        return default
    return struct.unpack_from("<Q", code, at)[0]


def word_of_record(file, sector, slot, address, default=0):
    """A 64-bit word of the memory that the record of `slot` at `sector` holds; `default`: the
    template's."""
    file.seek(sector * SECTOR)
    fields = RECORD_HEAD.unpack_from(file.read(SECTOR))
    assert fields[0] == RECORD_MAGIC and fields[7] == slot, f"no record of {slot} at {sector}"
    sectors, head_bytes, pages = fields[9], fields[10], fields[12]
    file.seek(sector * SECTOR)
    data = file.read(sectors * SECTOR)
    extra = 584 if fields[8] & 1 else 0
    at = head_bytes
    for i in range(pages):
        number, code, _ = PAGE_ENTRY.unpack_from(data, 688 + extra + PAGE_ENTRY.size * i)
        bytes_ = (code & 0xFFF) * 8
        if number == address // PAGE:
            return word_of_page(code >> 12, data[at:at + bytes_], address % PAGE, default)
        at += bytes_
    return default
