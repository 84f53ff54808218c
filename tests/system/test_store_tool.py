# SPDX-License-Identifier: BSD-2-Clause
"""`toklat store` on stores that a second implementation of the format writes (store_maker.py)."""

import errno
import fcntl
import json
import os
import re
import signal
import struct
import subprocess

import pytest

from store_maker import DELTA, LZ4, RAW, TOOL, Store, delta, lz4, tool, with_crc

pytestmark = pytest.mark.own_machine

CLEAN, ERRORS, OPERATIONAL, USAGE, CANCELLED = 0, 4, 8, 16, 32
DEADLINE = 1_800_000_000_000_000_000
KEY = 0x7E3


@pytest.fixture(name="store")
def store_fixture(tmp_path):
    """A template, 20 VMs, some of them written again after a checkpoint."""
    store = Store(tmp_path / "store.img")
    store.batch([store.record(store.vms + 1, [(1, delta({1: 2}))], template=KEY)])
    store.batch([store.vm(n, template=KEY) for n in range(1, 21)], marks=[(50, 1), (51, 2)])
    store.checkpoint()
    store.batch([store.vm(n, fill=200, template=KEY) for n in (3, 4)])
    store.batch([store.vm(5, template=KEY, deadline_ns=DEADLINE, extra=True)])
    store.batch([store.vm(6, template=KEY, generation=7), store.vm(7, template=KEY)])
    return store


def verify(store, *options):
    """(exit code, findings as {"severity", "text"}, the whole object)"""
    done = tool("store", "verify", store.path, "--json", *options)
    result = json.loads(done.stdout)
    return done.returncode, result["findings"], result


def errors_of(findings):
    return [finding["text"] for finding in findings if finding["severity"] == "error"]


def assert_damage(store, *words, options=()):
    """Verification ends with 4, and one error has all these words, in order."""
    code, findings, _ = verify(store, *options)
    expression = ".*".join(words)
    assert code == ERRORS, findings
    assert any(re.search(expression, text) for text in errors_of(findings)), findings


def listed(store, *options):
    done = tool("store", "list", store.path, "--json", *options)
    return {entry["slot"]: entry for entry in json.loads(done.stdout)}


def info(store):
    return json.loads(tool("store", "info", store.path, "--json").stdout)


# --- create


def test_created_store_is_clean_and_sparse(tmp_path):
    path = tmp_path / "new.img"
    assert tool("store", "create", path).returncode == CLEAN
    assert os.stat(path).st_size == 16 << 30
    assert os.stat(path).st_blocks * 512 < 1 << 20
    done = tool("store", "verify", path)
    assert done.returncode == CLEAN and "clean" in done.stdout
    shown = json.loads(tool("store", "info", path, "--json").stdout)
    assert shown["vms"] == 1 << 20 and shown["segments"]["bytes"] == 4 << 20
    assert [c["sequence"] for c in shown["checkpoints"]] == [1, 2]


def test_create_repeats_byte_for_byte(tmp_path):
    options = ["--size", "16M", "--segment", "1M", "--vms", 100]
    options += ["--uuid", "00112233-4455-6677-8899-aabbccddeeff"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1000000000"}
    images = []
    for name in ("a", "b"):
        done = tool("store", "create", tmp_path / name, *options, env=environment)
        assert done.returncode == CLEAN, done.stderr
        images.append((tmp_path / name).read_bytes())
    assert images[0] == images[1]
    assert struct.unpack_from("<Q", images[0], 32)[0] == 1_000_000_000 * 10**9


def test_create_overwrites_only_when_forced(store, tmp_path):
    other = tmp_path / "letter.txt"
    other.write_text("dear reader")
    for path, word in ((store.path, "a store already"), (other, "not empty")):
        before = path.read_bytes()
        done = tool("store", "create", path, "--size", "64M")
        assert done.returncode == OPERATIONAL
        assert word in done.stderr and "--force" in done.stderr
        assert path.read_bytes() == before
    done = tool("store", "create", store.path, "--size", "64M", "--vms", 100, "--force")
    assert done.returncode == CLEAN
    assert listed(store) == {} and verify(store)[0] == CLEAN


@pytest.mark.parametrize(
    "options, words",
    [
        (["--size", "1M"], ["size", "1048576", "limit"]),
        (["--size", "500G", "--segment", "1M"], ["segments", "limit 65536"]),
        (["--segment", "3M"], ["3M"]),
        (["--segment", "128M"], ["128M"]),
        (["--vms", "0"], ["0"]),
        (["--vms", "99999999"], ["99999999"]),
        (["--size", "many"], ["many"]),
        (["--uuid", "12"], ["12"]),
    ],
)
def test_create_refuses_what_cannot_be(tmp_path, options, words):
    done = tool("store", "create", tmp_path / "x", *options)
    assert done.returncode == USAGE
    assert re.search(".*".join(words), done.stderr), done.stderr
    assert not (tmp_path / "x").exists() or (tmp_path / "x").stat().st_size == 0


# --- info and list


def test_info_counts(store):
    shown = info(store)
    assert shown["records"] == 20 and shown["templates"] == 1
    assert shown["dead"] == 1 and shown["exists"] == 1
    assert shown["log"]["batches"] == 3 and shown["log"]["next_batch"] == store.sequence
    assert (shown["log"]["segment"], shown["log"]["offset"]) == (store.segment, store.offset)
    assert [c["newest"] for c in shown["checkpoints"]] == [True, False]
    assert shown["live_bytes"] == sum(place[1] for place in store.index if place[0] > 8) * 512
    segments = shown["segments"]
    assert segments["used"] + segments["open"] + segments["free"] == segments["all"] == 15
    text = tool("store", "info", store.path).stdout
    assert "20 VMs, 1 templates" in text and "sequence 3 (newest), not clean" in text


def test_list_has_what_was_written_last(store):
    entries = listed(store, "--long")
    assert set(entries) == {*range(1, 21), 50, 51, store.vms + 1}
    for slot, entry in entries.items():
        place = store.index[slot - 1]
        if place[0] >= 8:
            assert (entry["sector"], entry["bytes"]) == (place[0], place[1] * 512)
            assert entry["state"] == ("stored" if slot <= store.vms else "template")
    assert entries[50]["state"] == "dead" and entries[51]["state"] == "exists"
    assert entries[5]["deadline_ns"] == DEADLINE
    assert (entries[6]["generation"], entries[6]["pages"], entries[6]["hot_pages"]) == (7, 3, 2)
    assert entries[6]["template"] == KEY
    only = tool("store", "list", store.path, "--vm", 5, "--long").stdout.splitlines()
    assert len(only) == 2 and only[1].split()[:3] == ["5", "stored", str(store.index[4][0])]
    assert "2027-01-15" in only[1]
    assert tool("store", "list", store.path, "--vm", 5000).returncode == USAGE


# --- verify: what is well


def test_whole_store_verifies(store):
    before = store.path.read_bytes()
    code, findings, result = verify(store)
    assert code == CLEAN and not findings
    assert (result["records"], result["templates"], result["batches"]) == (20, 1, 5)
    assert result["pages"] == 61
    done = tool("store", "verify", store.path)
    passes = re.findall(r"^Pass (\d): ", done.stdout, re.M)
    assert passes == ["1", "2", "3", "4"] and done.stderr == ""
    assert store.path.read_bytes() == before


def test_log_goes_on_in_the_next_segment(store):
    for _ in range(4):
        store.batch([store.vm(n, template=KEY) for n in range(20, 80)])
    assert store.segment > 0
    code, findings, _ = verify(store)
    assert code == CLEAN, findings
    assert info(store)["log"]["batches"] == 7


def test_log_goes_on_in_the_next_segment_right_after_a_checkpoint(store):
    """The checkpoint's place has room for less than the batch that came."""
    store.checkpoint()
    store.batch([store.vm(30, template=KEY)], new_segment=True)
    assert verify(store)[0] == CLEAN
    assert listed(store)[30]["sector"] == store.index[29][0]


def test_the_log_came_round_to_the_place_that_the_checkpoint_names(store):
    """The batch that is looked for is in the next segment, and a later one where it is not."""
    store.batch([store.vm(30, template=KEY)], new_segment=True)
    came_from = store.segment
    store.checkpoint()
    store.batch([store.vm(31, template=KEY)], new_segment=True, next_segment=came_from)
    store.next_segment = came_from
    for n in (30, 32, 33):
        store.batch([store.vm(n, template=KEY)], new_segment=n == 30)
    code, findings, _ = verify(store)
    assert code == CLEAN, findings
    assert info(store)["log"]["batches"] == 4
    found = [listed(store)[n]["sector"] for n in (30, 33)]
    assert found == [store.index[29][0], store.index[32][0]]


def test_a_batch_that_is_there_twice(store):
    """It could not be written where it was first; what follows had no room behind it either."""
    store.batch([store.vm(30, template=KEY)])
    store.sequence -= 1
    store.batch([store.vm(30, template=KEY)], new_segment=True)
    store.batch([store.vm(31, template=KEY)], new_segment=True)
    code, findings, _ = verify(store)
    assert code == CLEAN, findings
    assert listed(store)[30]["sector"] == store.index[29][0]
    assert listed(store)[31]["sector"] == store.index[30][0]


def test_moved_record_keeps_its_own_sequence(store):
    store.batch([store.vm(8, template=KEY, sequence=2)], new_segment=True)
    store.checkpoint()
    assert verify(store)[0] == CLEAN


def test_torn_last_batch_is_as_it_was_before(store):
    place = store.index[8]
    store.batch([store.vm(9, fill=99, template=KEY), store.vm(10, fill=99, template=KEY)])
    begin, _, places = store.log[-1]
    store.write(places[0] + 5, bytes(512))
    code, findings, result = verify(store)
    assert code == CLEAN and result["torn_records"] == 1
    assert "slot 9" in findings[0]["text"] and str(places[0]) in findings[0]["text"]
    entries = listed(store)
    assert entries[9]["sector"] == place[0] and entries[10]["sector"] == places[1]
    store.write(begin + 3, b"\xaa" * 512)  # its header, too: what is whole is taken by itself
    assert verify(store)[0] == CLEAN
    assert listed(store)[9]["sector"] == place[0]
    assert listed(store)[10]["sector"] == places[1]


def test_older_checkpoint_and_torn_one(store):
    """A checkpoint that was being written when the power went: the other one counts."""
    area = store.checkpoint()
    store.write(area, bytes(512))
    code, findings, _ = verify(store)
    assert code == CLEAN and findings[0]["severity"] == "note"
    assert info(store)["log"]["batches"] == 3


# --- verify: damage


@pytest.mark.parametrize("damaged, other", [(0, 8), (8, 0)])
def test_damaged_superblock_copy(store, damaged, other):
    store.change_super(sector=other, boots=3)
    store.flip(damaged, 48)
    assert_damage(store, f"superblock at sector {damaged}", "crc 0x", "computed 0x")
    assert info(store)["boots"] == 3
    store.flip(other, 48)
    assert verify(store)[0] == OPERATIONAL


def test_superblock_with_more_boots_counts(store):
    store.change_super(sector=8, boots=5)
    assert info(store)["boots"] == 5 and verify(store)[0] == CLEAN
    store.change_super(sector=0, boots=6)
    assert info(store)["boots"] == 6
    store.change_super(sector=8, sectors=20000, boots=5)
    assert verify(store)[0] in (ERRORS, OPERATIONAL)


@pytest.mark.parametrize("offset, word", [(20, "crc"), (200, "crc"), (0, "magic")])
def test_flipped_bit_in_a_head(store, offset, word):
    sector = store.index[10][0]
    store.flip(sector, offset)
    assert_damage(store, "slot 11: ", f"sector {sector}", word)
    assert tool("store", "list", store.path, "--long").returncode == ERRORS
    assert verify(store, "--quick")[0] == CLEAN


def test_flipped_bit_in_a_page(store):
    sector = store.index[11][0]
    store.flip(sector, 688 + 3 * 8 + 100)
    assert_damage(store, "slot 12: ", f"sector {sector}", "page 3: ", "crc")


def test_flipped_bit_in_the_index(store):
    store.flip(store.areas[0] + 1, 16 * 11)  # the newest, sequence 3
    assert_damage(store, "log: batch 3 is missing|later|checkpoint")
    assert info(store)["records"] == 20


def test_index_that_lies(store):
    """With a checksum that fits: it says where another record is, or what no place can be."""
    good = list(store.index)
    store.index[12] = store.index[13]
    store.checkpoint()
    assert_damage(store, "slot 1[34]: ", "inside the record of slot 1[34]")
    assert_damage(store, "slot 13: ", "slot 14 in the record")
    for entry, words in {
        (70000, 4, 1, 1, 0): ["sector 70000", "limit"],
        (3, 4, 1, 1, 0): ["marker 3", "limit 2"],
        (good[12][0], 2041, 1, 1, 0): ["sectors 2041", "limit 2 to 2040"],
        (2048, 4, 1, 1, 0): ["sector 2048", "limit offsets"],
    }.items():
        store.index = list(good)
        store.index[12] = entry
        store.checkpoint()
        assert_damage(store, "slot 13: ", *words)


def test_index_that_forgets_a_newer_record(store):
    old = store.index[13]
    store.batch([store.vm(14, template=KEY)])
    store.index[13] = old
    store.checkpoint()
    assert_damage(store, "slot 14: ", f"sector {old[0]}", "of batch 2", "batch 6")


def test_damaged_header_in_the_middle_of_the_log(store):
    """The records of that batch are found by themselves, and those after it by their batch."""
    begin, _, _ = store.log[3]
    store.flip(begin, 100)
    assert_damage(store, "log: batch 4 is missing")
    entries = listed(store)
    for slot in (3, 5, 6, 7):
        assert entries[slot]["sector"] == store.index[slot - 1][0], slot
    assert info(store)["log"]["all_segments_read"]


def test_damaged_header_before_the_checkpoint(store):
    store.flip(store.log[1][0], 100)
    assert_damage(store, "slot 15: ", "no sound batch")
    notes = [finding["text"] for finding in verify(store)[1] if finding["severity"] == "note"]
    assert any("what was before it, after batch 1, is damaged" in text for text in notes), notes


def test_no_checkpoint_is_sound(store):
    for area in store.areas:
        store.flip(area, 60)
    assert_damage(store, "no checkpoint is sound")
    entries = listed(store)
    assert set(entries) == {*range(1, 21), 50, 51, store.vms + 1}
    for slot in range(1, 21):
        assert entries[slot]["sector"] == store.index[slot - 1][0]


def test_newest_sound_record_wins_when_all_is_read(store):
    old = store.index[15][0]
    store.batch([store.vm(16, fill=9, template=KEY)])
    store.batch([store.vm(17, template=KEY)])
    store.flip(store.index[15][0], 3000)
    for area in store.areas:
        store.flip(area, 60)
    assert listed(store)[16]["sector"] == old


def test_order_of_batches_is_not_that_of_segments(store):
    store.batch([], next_segment=3)
    store.next_segment = 3
    store.batch([store.vm(30, template=KEY)], new_segment=True, next_segment=1)
    store.next_segment = 1
    store.batch([store.vm(30, template=KEY, generation=2)], new_segment=True)
    assert verify(store)[0] == CLEAN
    for area in store.areas:
        store.flip(area, 60)
    assert listed(store)[30]["sector"] == store.index[29][0]
    shown = info(store)["log"]
    assert (shown["segment"], shown["offset"]) == (1, store.offset)


def test_newer_checkpoint_than_the_sound_one(store):
    store.checkpoint()
    area = store.areas[1]
    store.batch([store.vm(40, template=KEY)])
    store.flip(area, 60)
    assert_damage(store, "later ones are there")
    assert listed(store)[40]["sector"] == store.index[39][0]


def test_truncated_file(store):
    store.batch([store.vm(60, template=KEY)], new_segment=True)
    sectors = store.index[59][0] + 2
    os.truncate(store.path, sectors * 512)
    assert_damage(store, "truncated", str(sectors), "the superblock says")
    os.truncate(store.path, 4096)
    assert verify(store)[0] == ERRORS
    os.truncate(store.path, 100)
    assert verify(store)[0] == OPERATIONAL


WRONG_PAGES = {
    "twice": [(3, delta({})), (3, delta({}))],
    "limit 8191": [(8192, delta({}))],
    "coding 3": [(3, (3, bytes(64)))],
    "raw of 64 bytes": [(3, (RAW, bytes(64)))],
    "bitmap has 1 words": [(3, (DELTA, b"\1" + bytes(63)))],
    "LZ4 block of 4000 bytes": [(3, (LZ4, struct.pack("<Q", 4000) + bytes(64)))],
    "does not decode": [(3, (LZ4, struct.pack("<Q", 8) + b"\x10A\xff\xff\x50BCD"))],
}


@pytest.mark.parametrize("word", WRONG_PAGES)
def test_pages_that_cannot_be(store, word):
    store.batch([store.record(33, WRONG_PAGES[word])])
    store.batch([])
    assert_damage(store, "slot 33: ", f"sector {store.index[32][0]}", word)


def test_pages_of_every_coding(store):
    pages = [(i, lz4(bytes([i]) * 4096)) for i in range(40)]
    pages += [(100 + i, delta({k: k for k in range(0, 512, i + 2)})) for i in range(40)]
    pages += [(8191, (RAW, bytes(range(256)) * 16))]
    store.batch([store.record(33, pages, hot=50)])
    store.batch([])
    code, findings, _ = verify(store)
    assert code == CLEAN, findings


def test_entry_outside_its_batch(store):
    store.batch([store.vm(33)])
    begin, _, _ = store.log[-1]
    header = bytearray(store.read(begin, 8))
    struct.pack_into("<I", header, 96 + 8, store.index[0][0])
    store.write(begin, with_crc(bytes(header)))
    assert_damage(store, "batch 6", "entry 0: sector", "its batch")


# --- what is not a store, and how to say so


def test_newer_version(store):
    store.change_super(version=2)
    for command in ("verify", "info", "list"):
        done = tool("store", command, store.path)
        assert done.returncode == OPERATIONAL
        assert "store version 2, this tool knows 1" in done.stderr


def test_not_a_store(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("dear reader" * 1000)
    for command in ("verify", "info", "list"):
        done = tool("store", command, path)
        assert done.returncode == OPERATIONAL and "not a store" in done.stderr
    missing = tool("store", "verify", tmp_path / "nothing")
    assert missing.returncode == OPERATIONAL
    assert os.strerror(errno.ENOENT) in missing.stderr
    assert tool("store", "verify", tmp_path).returncode == OPERATIONAL


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sell"],
        ["store"],
        ["store", "sell"],
        ["store", "verify"],
        ["store", "verify", "a", "b"],
        ["store", "verify", "--slowly", "a"],
        ["store", "list", "a", "--vm", "x"],
        ["store", "export", "a"],
        ["store", "import", "a"],
    ],
)
def test_wrong_usage(arguments):
    done = tool(*arguments)
    assert done.returncode == USAGE and done.stderr and not done.stdout


@pytest.mark.parametrize("command", ["create", "info", "list", "verify", "export", "import"])
def test_help(command):
    done = tool("store", command, "--help")
    assert done.returncode == CLEAN and f"toklat store {command}" in done.stdout
    assert command in tool("store", "--help").stdout
    assert "store" in tool("--help").stdout and "version 1" in tool("version").stdout


def test_interrupt_ends_with_32(tmp_path):
    """While more findings come than a pipe takes, and while an archive is waited for."""
    store = Store(tmp_path / "bad.img", vms=2000)
    store.index = [(5, 0, 0, 0, 0)] * store.slots
    store.checkpoint()
    command = [TOOL, "store", "verify", "--json", store.path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert os.read(process.stdout.fileno(), 1) == b"{"
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == CANCELLED
    store = Store(tmp_path / "good.img")
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [TOOL, "store", "import", store.path, fifo]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        with open(fifo, "wb"):
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == CANCELLED


# --- export and import


@pytest.fixture(name="other")
def other_fixture(tmp_path):
    """A larger store with a template and a VM of its own."""
    store = Store(tmp_path / "other.img", vms=150)
    store.batch([store.record(151, [(1, delta({1: 2}))], template=0xABC), store.vm(140)])
    return store


def page_codes(store, slot):
    """What a record has after its table of pages."""
    sector, sectors = store.index[slot - 1][:2]
    return store.read(sector, sectors)[688:]


def test_vms_move_between_stores(store, other, tmp_path):
    archive = tmp_path / "vms.toklat"
    done = tool("store", "export", store.path, "--vm", 6, "--vm", 50, archive)
    assert done.returncode == CLEAN and "3 entries" in done.stdout
    assert tool("store", "import", other.path, archive).returncode == CLEAN
    entries = listed(other, "--long")
    assert set(entries) == {6, 50, 140, 151, 152}
    assert (entries[6]["generation"], entries[6]["template"]) == (7, KEY)
    assert entries[50]["state"] == "dead"
    assert entries[152]["state"] == "template" and entries[152]["template"] == KEY
    code, findings, _ = verify(other)
    assert code == CLEAN, findings
    other.index[5] = (entries[6]["sector"], entries[6]["bytes"] // 512)
    assert page_codes(other, 6) == page_codes(store, 6)


def test_whole_store_moves_and_comes_back(store, other, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert tool("store", "export", store.path, first).returncode == CLEAN
    assert tool("store", "import", other.path, first).returncode == CLEAN
    names = [word for n in (*range(1, 21), 50, 51) for word in ("--vm", n)]
    assert tool("store", "export", other.path, *names, second).returncode == CLEAN
    empty = Store(tmp_path / "empty.img")
    assert tool("store", "import", empty.path, second).returncode == CLEAN
    left, right = listed(store, "--long"), listed(empty, "--long")
    assert set(left) == set(right)
    for slot, entry in left.items():
        for name in ("state", "bytes", "pages", "generation", "deadline_ns", "written_ns"):
            assert entry.get(name) == right[slot].get(name), (slot, name)
    assert verify(empty)[0] == CLEAN


def test_import_fills_segments(store, tmp_path):
    archive = tmp_path / "all"
    pages = [(i, (RAW, bytes([i]) * 4096)) for i in range(8)]
    for first in range(21, 100, 30):
        store.batch([store.record(n, pages) for n in range(first, min(first + 30, 100))])
    assert tool("store", "export", store.path, archive).returncode == CLEAN
    target = Store(tmp_path / "target.img")
    for _ in range(2):  # the second time over itself
        done = tool("store", "import", target.path, archive, "--force")
        assert done.returncode == CLEAN, done.stderr
        code, findings, _ = verify(target)
        assert code == CLEAN, findings
    assert info(target)["segments"]["used"] >= 2
    small = Store(tmp_path / "small.img", vms=110, size="9M")
    for segment in range(4):
        small.batch([small.vm(105 + segment)], new_segment=segment > 0)
    before = small.path.read_bytes()
    done = tool("store", "import", small.path, archive)
    assert done.returncode == OPERATIONAL and "segments needed" in done.stderr
    assert small.path.read_bytes() == before


def test_import_after_a_torn_batch(store, other, tmp_path):
    archive = tmp_path / "vms"
    assert tool("store", "export", other.path, archive).returncode == CLEAN
    store.batch([store.vm(9, template=KEY)])
    store.write(store.log[-1][2][0] + 5, bytes(512))
    target = Store(tmp_path / "target.img", vms=150)
    target.batch([target.vm(9), target.vm(10)])
    target.write(target.log[-1][2][1], bytes(512))
    assert tool("store", "import", target.path, archive).returncode == CLEAN
    code, findings, _ = verify(target)
    assert code == CLEAN, findings
    assert set(listed(target)) == {9, 140}


def test_import_refuses_what_is_there_or_foreign(store, other, tmp_path):
    archive = tmp_path / "vms"
    other.change_super(deployment=0x1234)
    assert tool("store", "export", store.path, "--vm", 6, archive).returncode == CLEAN
    done = tool("store", "import", other.path, archive)
    assert done.returncode == OPERATIONAL and "deployment" in done.stderr
    assert "0x1234" in done.stderr
    assert tool("store", "import", other.path, archive, "--force").returncode == CLEAN
    done = tool("store", "import", store.path, archive)
    assert done.returncode == OPERATIONAL and "VM 6 is there already" in done.stderr
    store.change_super(deployment=0x77)
    empty = Store(tmp_path / "empty.img", vms=5)
    assert tool("store", "export", store.path, archive, "--force").returncode == CLEAN
    done = tool("store", "import", empty.path, archive)
    assert done.returncode == OPERATIONAL and re.search("VM 6, limit 1 to 5", done.stderr)
    whole = Store(tmp_path / "whole.img")
    assert tool("store", "import", whole.path, archive).returncode == CLEAN
    assert info(whole)["deployment"] == 0x77


def test_damaged_archive_changes_nothing(store, other, tmp_path):
    archive = tmp_path / "vms"
    assert tool("store", "export", store.path, archive).returncode == CLEAN
    good, before = archive.read_bytes(), other.path.read_bytes()
    step = len(good) // 97
    for offset in range(0, len(good), step):
        archive.write_bytes(good[:offset] + bytes([good[offset] ^ 4]) + good[offset + 1 :])
        done = tool("store", "import", other.path, archive)
        assert done.returncode == OPERATIONAL, offset
        archive.write_bytes(good[:offset])
        assert tool("store", "import", other.path, archive).returncode == OPERATIONAL, offset
    assert other.path.read_bytes() == before


def test_damaged_record_is_not_exported(store, tmp_path):
    archive = tmp_path / "vms"
    store.flip(store.index[5][0], 2000)
    store.batch([])
    done = tool("store", "export", store.path, archive)
    assert done.returncode == ERRORS and "slot 6" in done.stderr
    assert "20 entries" not in done.stdout and archive.exists()
    done = tool("store", "export", store.path, archive)
    assert done.returncode == OPERATIONAL and "--force" in done.stderr


def test_damaged_store_is_not_written_to(store, other, tmp_path):
    archive = tmp_path / "vms"
    assert tool("store", "export", other.path, archive).returncode == CLEAN
    store.flip(store.log[3][0], 100)
    assert tool("store", "import", store.path, archive, "--force").returncode == ERRORS


def test_locks(store, other, tmp_path):
    archive = tmp_path / "vms"
    assert tool("store", "export", other.path, archive).returncode == CLEAN
    with open(store.path, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = tool("store", "import", store.path, archive)
        assert done.returncode == OPERATIONAL and "in use" in done.stderr
        assert verify(store)[0] == CLEAN
    with open(store.path, "r+b") as file:  # as QEMU does
        lock = struct.pack("hhqqi4x", fcntl.F_RDLCK, os.SEEK_SET, 103, 1, 0)
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, lock)
        done = tool("store", "import", store.path, archive)
        assert done.returncode == OPERATIONAL and "QEMU" in done.stderr
        assert tool("store", "create", store.path, "--force").returncode == OPERATIONAL
        done = tool("store", "info", store.path)
        assert done.returncode == CLEAN and "QEMU" in done.stderr
    assert tool("store", "import", store.path, archive, "--force").returncode == OPERATIONAL
