# SPDX-License-Identifier: BSD-2-Clause
"""Writes sample stores (docs/store-format.md), with nothing in common with what reads them.

`toklat store create` makes the empty store; batches and checkpoints are appended here. A record is
of one VM; its pages are coded raw, as a delta, or as one block of LZ4 that has literals only.
"""

import pathlib
import struct
import subprocess

SECTOR = 512
HEADER_SECTORS = 8
TOOL = pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "toklat"
RECORD, TEMPLATE, MARK = 1, 2, 3
RAW, DELTA, LZ4 = 0, 1, 2
SUPER = "<QII16sQQQ2QIIIIQQ408s"
CHECKPOINT = "<QII16sQQIIQQIIII424s"
BATCH = "<QII16sQQIIIIQQQ8s"
ENTRY = "<IB3sIHBBQ"
RECORD_HEAD = "<QII16sQQQIIIIIHHQQQQQ"
RECORD_HEAD_BYTES = 688


def crc_table():
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


CRC_TABLE = list(crc_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def with_crc(data):
    """A structure with its checksum, which all of them have at offset 12."""
    data = data[:12] + bytes(4) + data[16:]
    return data[:12] + struct.pack("<I", crc32c(data)) + data[16:]


def size_code(size):
    exponent = 0
    number = size
    while number > 31:
        exponent += 1
        number = -(-size >> exponent)
    return exponent << 5 | number


def delta(words):
    """The code of a page that differs from its base in these words, {index: value}."""
    bitmap = bytearray(64)
    for index in words:
        bitmap[index // 8] |= 1 << index % 8
    return DELTA, bytes(bitmap) + b"".join(struct.pack("<Q", words[i]) for i in sorted(words))


def lz4(page):
    """A block of LZ4: 16 literals, then a match that repeats the byte before to near the end."""
    fill = page[0]
    assert page == bytes([fill]) * 4096
    match = 4096 - 16 - 5 - 4 - 15
    block = bytes([0xFF, 1]) + bytes([fill]) * 16 + struct.pack("<H", 1)
    block += b"\xff" * (match // 255) + bytes([match % 255])
    block += bytes([0x50]) + bytes([fill]) * 5
    code = struct.pack("<Q", len(block)) + block
    return LZ4, code + bytes(-len(code) % 8)


def tool(*arguments, **more):
    return subprocess.run(
        [TOOL, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **more,
    )


class Store:
    """A store that is being written; `log` says where each batch is: (sector, sectors, entries)."""

    def __init__(self, path, vms=100, size="16M", segment="1M"):
        self.path = path
        done = tool("store", "create", path, "--size", size, "--vms", vms, "--segment", segment)
        assert done.returncode == 0, done.stderr
        with open(path, "rb") as file:
            fields = struct.unpack(SUPER, file.read(SECTOR))
        self.uuid, self.first_segment = fields[3], fields[6]
        self.areas, self.segment_sectors = fields[7:9], fields[10]
        self.segments, self.vms = fields[11], fields[12]
        self.slots = self.vms + 32
        self.index = [(0, 0, 0, 0, 0)] * self.slots
        self.sequence, self.checkpoint_sequence = 1, 2
        self.segment, self.offset, self.next_segment = 0, 0, 1
        self.boots = 0
        self.log = []

    def write(self, sector, data):
        with open(self.path, "r+b") as file:
            file.seek(sector * SECTOR)
            file.write(data)

    def read(self, sector, sectors=1):
        with open(self.path, "rb") as file:
            file.seek(sector * SECTOR)
            return file.read(sectors * SECTOR)

    def flip(self, sector, offset, mask=1):
        """Turns bits of a byte."""
        data = bytearray(self.read(sector + offset // SECTOR))
        data[offset % SECTOR] ^= mask
        self.write(sector + offset // SECTOR, bytes(data))

    def change_super(self, sector=None, **fields):
        """Sets fields of the superblock, of both copies or of one, with a checksum that fits."""
        offsets = {"version": (8, "<I"), "sectors": (40, "<Q"), "vms": (84, "<I")}
        offsets |= {"segments": (80, "<I"), "deployment": (88, "<Q"), "boots": (96, "<Q")}
        for at in (0, 8) if sector is None else (sector,):
            data = bytearray(self.read(at))
            for name, value in fields.items():
                struct.pack_into(offsets[name][1], data, offsets[name][0], value)
            self.write(at, with_crc(bytes(data)))

    def record(self, slot, pages, hot=None, template=0, extra=False, sequence=None, **more):
        """A record's bytes: `pages` is [(number, (coding, code)), ...]."""
        hot = len(pages) if hot is None else hot
        table = b"".join(
            struct.pack("<HHI", number, coding << 12 | len(code) // 8, crc32c(code))
            for number, (coding, code) in pages
        )
        head_bytes = RECORD_HEAD_BYTES + (584 if extra else 0) + len(table)
        codes = [code for _, (_, code) in pages]
        hot_bytes = head_bytes + sum(map(len, codes[:hot]))
        size = head_bytes + sum(map(len, codes))
        sectors = -(-size // SECTOR)
        head = struct.pack(
            RECORD_HEAD,
            0x726363526B6C6F54,
            1,
            0,
            self.uuid,
            sequence or self.sequence,
            template,
            self.boots,
            slot,
            (1 if extra else 0) | more.get("flags", 0),
            sectors,
            head_bytes,
            hot_bytes,
            len(pages),
            hot,
            more.get("wall_ns", 1_700_000_000_000_000_000),
            more.get("deadline_ns", 0),
            more.get("generation", 1),
            0,
            62_500_000,
        )
        head = with_crc(head.ljust(head_bytes - len(table), b"\0") + table)
        place = (sectors, size_code(-(-hot_bytes // SECTOR)), size_code(hot + 2))
        data = (head + b"".join(codes)).ljust(sectors * SECTOR, b"\0")
        return slot, place, data, more.get("deadline_ns", 0)

    def vm(self, slot, fill=None, **more):
        """A record of a VM with a page of each coding."""
        fill = slot % 256 if fill is None else fill
        pages = [(3, (RAW, bytes([fill]) * 4096)), (4, delta({0: slot, 511: fill + 1}))]
        pages.append((9, lz4(bytes([fill]) * 4096)))
        return self.record(slot, pages, hot=2, **more)

    def batch(self, records=(), marks=(), new_segment=False, **fields):
        """Appends a batch; `marks` is [(slot, marker), ...]. Returns the records' sectors."""
        size = HEADER_SECTORS + sum(place[0] for _, place, _, _ in records)
        sectors = -(-size // 8) * 8
        assert sectors <= self.segment_sectors
        if new_segment or self.offset + sectors > self.segment_sectors:
            self.segment, self.offset = self.next_segment, 0
            self.next_segment = (self.segment + 1) % self.segments
        begin = self.first_segment + self.segment * self.segment_sectors + self.offset
        at, entries, body, places = begin + HEADER_SECTORS, b"", b"", []
        for slot, place, data, deadline in records:
            kind = TEMPLATE if slot > self.vms else RECORD
            entries += struct.pack(ENTRY, slot, kind, b"", at, *place, deadline)
            self.index[slot - 1] = (at, *place, deadline)
            places.append(at)
            at += place[0]
            body += data
        for slot, marker in marks:
            entries += struct.pack(ENTRY, slot, MARK, b"", marker, 0, 0, 0, 0)
            self.index[slot - 1] = (marker, 0, 0, 0, 0)
        header = self.batch_header(sectors, len(records) + len(marks), fields) + entries
        self.write(begin, with_crc(header.ljust(HEADER_SECTORS * SECTOR, b"\0")))
        self.write(begin + HEADER_SECTORS, body)
        self.log.append((begin, sectors, places))
        self.sequence += 1
        self.offset += sectors
        return places

    def batch_header(self, sectors, count, fields):
        return struct.pack(
            BATCH,
            0x686374426B6C6F54,
            1,
            0,
            self.uuid,
            fields.get("sequence", self.sequence),
            fields.get("checkpoint", self.checkpoint_sequence),
            self.segment,
            fields.get("next_segment", self.next_segment),
            sectors,
            count,
            1_700_000_000_000_000_000,
            1000,
            self.boots,
            b"",
        )

    def checkpoint(self, clean=0):
        """Writes the index as it is now, over the older checkpoint. Returns its sector."""
        self.checkpoint_sequence += 1
        area = self.areas[(self.checkpoint_sequence + 1) % 2]
        entries = b"".join(struct.pack("<IHBBQ", *entry) for entry in self.index)
        head = struct.pack(
            CHECKPOINT,
            0x6B6368436B6C6F54,
            1,
            0,
            self.uuid,
            self.checkpoint_sequence,
            self.sequence,
            self.segment,
            self.offset,
            1_700_000_000_000_000_000,
            1000,
            self.slots,
            crc32c(entries),
            clean,
            self.next_segment,
            b"",
        )
        self.write(area + 1, entries)
        self.write(area, with_crc(head))
        return area
