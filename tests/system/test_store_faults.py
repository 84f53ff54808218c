# SPDX-License-Identifier: BSD-2-Clause
"""What goes wrong with a store: on its device, and in what it holds. It is said, one VM at most is
touched by it, and the others answer as before."""

import struct

import pytest

from machine import Machine
from store_maker import with_crc
from stores import (MEMORY, SECTOR, VMS, WEB, assert_sound, make_store, records, requests,
                    shut_down, store, verify)
from forgetful import FLUSH, READ, WRITE, Forgetful
from store_image import listed, tool

FEW = 120  # web VMs, some more than fit
VICTIM = 7  # instance
SLOT = WEB + VICTIM - 1
SUPERS = (0, 8)
# Or QEMU makes one request of neighbouring ones, and all of these fail.
UNMERGED = ["-global", "virtio-blk-device.request-merging=off"]


@pytest.fixture(scope="module", name="template")
def template_fixture(tmp_path_factory):
    """A store in which FEW VMs have served one request each, cleanly shut down."""
    path = make_store(tmp_path_factory.mktemp("template"))
    with machine_on(path) as machine:
        machine.wait_until_serving()
        assert requests(machine.status_of_all(FEW)) == [1] * FEW
        shut_down(machine)
    assert_sound(path)
    return path


@pytest.fixture(name="path")
def path_fixture(template, tmp_path):
    copy = tmp_path / "store.img"
    copy.write_bytes(template.read_bytes())
    return copy


def machine_on(source, vms=FEW, **more):
    return Machine("dts/web.dts", vms=vms, store=source, mem=MEMORY, **more)


def flip(path, sector, offset=100):
    with open(path, "r+b") as file:
        file.seek(sector * SECTOR + offset)
        byte = file.read(1)[0]
        file.seek(sector * SECTOR + offset)
        file.write(bytes([byte ^ 0x10]))


def geometry(path):
    """(first segment, its sectors, checkpoints) from the superblock."""
    data = path.read_bytes()[:SECTOR]
    first, area0, area1 = struct.unpack_from("<3Q", data, 48)
    return first, struct.unpack_from("<I", data, 76)[0], (area0, area1)


def ask_all(machine, anew=()):
    """All answer; those in `anew` have forgotten their first request."""
    machine.wait_until_serving()
    expected = [1 if i in anew else 2 for i in range(1, FEW + 1)]
    assert requests(machine.status_of_all(FEW)) == expected


def all_answer_without_a_store(machine, said):
    machine.wait_for(rf"toklat: (?:error|warning): {said}")
    machine.wait_until_serving()
    assert requests(machine.status_of_all(20)) == [1] * 20


class Faults:
    """Which transfers of a device fail: set `rule(op, sector, sectors)`, and see `count`."""

    def __init__(self):
        self.rule = lambda op, sector, sectors: False
        self.count = 0

    def __call__(self, op, sector, sectors):
        fails = self.rule(op, sector, sectors)
        self.count += fails
        return fails

    def once(self, op):
        self.rule = lambda o, sector, sectors: o == op and self.count == 0


# Reads.

def blkdebug(folder, path, once):
    """QEMU's device on which the victim's record cannot be read."""
    sector = listed(path)[SLOT]["sector"]
    config = folder / "blkdebug.conf"
    config.write_text(f'[inject-error]\nevent = "read_aio"\nerrno = "5"\nsector = "{sector}"\n'
                      f'once = "{"on" if once else "off"}"\n')
    return f"blkdebug:{config}:{path}"


def test_a_record_that_cannot_be_read_costs_its_own_vm(tmp_path, path):
    with machine_on(blkdebug(tmp_path, path, once=False), qemu=UNMERGED) as machine:
        ask_all(machine, anew=[VICTIM])
        machine.wait_for(rf"warning: \[web/{VICTIM}\] its record at sector \d+ cannot be used")
        assert machine.console().count("anew") == 1
        assert store(machine)["read_errors"] >= 2
        shut_down(machine)
    assert_sound(path)


def test_a_read_that_fails_once_is_tried_again(tmp_path, path):
    with machine_on(blkdebug(tmp_path, path, once=True), qemu=UNMERGED) as machine:
        ask_all(machine)
        assert store(machine)["read_errors"] == 1
        assert "anew" not in machine.console()


# Writes.

@pytest.mark.parametrize("op", [WRITE, FLUSH])
def test_what_fails_once_is_tried_again(path, op):
    faults = Faults()
    with Forgetful(path, fault=faults) as device, machine_on(device.url) as machine:
        machine.wait_until_serving()
        faults.once(op)
        ask_all(machine)
        assert faults.count == 1
        shut_down(machine)
    assert_sound(path)
    assert len(records(path)) == FEW + 1


def test_a_place_that_cannot_be_written_is_gone_round(path):
    """The rest of the segment that the log is in: it goes on in the next one."""
    first, size, _ = geometry(path)
    written, bad, faults = [], [], Faults()

    def rule(op, sector, sectors):
        """From the second batch on in the first segment that has as many."""
        segment = (sector - first) // size
        if op != WRITE or sector < first:
            return False
        if not bad and segment in written:
            bad.append(segment)
        written.append(segment)
        return segment in bad

    with Forgetful(path, fault=faults) as device, machine_on(device.url) as machine:
        machine.wait_until_serving()
        faults.rule = rule
        ask_all(machine)
        machine.wait_for(r"warning: store: sector \d+: .*the log goes on in segment \d+")
        shut_down(machine)
    assert verify(path)[0] == 0
    with machine_on(path) as machine:
        machine.wait_until_serving()
        assert requests(machine.status_of_all(FEW)) == [3] * FEW


@pytest.mark.parametrize("op", [WRITE, FLUSH])
def test_a_device_that_writes_no_more_keeps_what_it_has(path, op):
    faults = Faults()
    with Forgetful(path, fault=faults) as device, machine_on(device.url) as machine:
        machine.wait_until_serving()
        faults.rule = lambda o, sector, sectors: o == op
        for instance in range(1, FEW + 1):
            if machine.get(f"/vm/{instance}/status.json")[0] != 200:
                break
        machine.wait_for(r"error: store: a batch could not be written .*takes no more records")
        assert machine.get("/")[0] == 200
        assert store(machine)["takes_records"] == 0
        whole = machine.footprint()["machine"]
        assert whole.pop("ram_bytes") == sum(whole.values())
        machine.send_key("Q")
        machine.wait_for(r"warning: shutdown: .*lost")
        machine.wait_for_end()
    assert_sound(path)
    with machine_on(path) as machine:
        machine.wait_until_serving()
        assert set(requests(machine.status_of_all(FEW))) <= {2, 3}


def test_a_read_only_device_is_read(path):
    before = path.read_bytes()
    drive = ["-drive", f"if=none,id=store,format=raw,readonly=on,file={path}",
             "-device", "virtio-blk-device,drive=store"]
    with machine_on(None, qemu=drive) as machine:
        machine.wait_until_serving()
        assert requests(machine.status_of_all(20)) == [2] * 20
        assert store(machine)["takes_records"] == 0
    assert path.read_bytes() == before


def test_a_full_store_keeps_what_it_has(tmp_path):
    """More VMs than it has room for: what it holds stays sound, and those that are in it come and
    go as ever at the next boot."""
    path = make_store(tmp_path, "--size", "9M", "--segment", "1M", "--vms", "2048")
    count = 1500
    with machine_on(path, vms=count) as machine:
        machine.wait_until_serving()
        answered = 0
        for instance in range(1, count + 1):
            if machine.get(f"/vm/{instance}/status.json", 30)[0] != 200:
                break
            answered = instance
        assert VMS < answered < count, "the test needs more"
        machine.wait_for(r"warning: store: full: VMs that have no record in it stay in memory")
        assert store(machine)["refused_full"] > 0
        assert machine.get("/")[0] == 200
        machine.cut_power()
    assert_sound(path)
    kept = records(path)
    assert len(kept) > VMS
    with machine_on(path, vms=count) as machine:
        machine.wait_until_serving()
        for slot in [slot for slot in sorted(kept) if slot >= WEB]:
            assert machine.get_json(f"/vm/{slot - WEB + 1}/status.json")["requests"] == 2


# What the host may find in a file.

def test_one_superblock_of_two(path):
    for sector in SUPERS:
        flip(path, sector, 20)
        assert verify(path)[0] == 4
        with machine_on(path) as machine:
            machine.wait_for(r"warning: store: one of its two superblocks is damaged")
            machine.wait_until_serving()
            shut_down(machine)
        assert_sound(path)


def test_both_superblocks(path):
    for sector in SUPERS:
        flip(path, sector, 20)
    before = path.read_bytes()
    with machine_on(path) as machine:
        all_answer_without_a_store(machine, "store: both superblocks are damaged")
    assert path.read_bytes() == before


def test_newest_checkpoint_and_both(path):
    for damaged in geometry(path)[2]:
        flip(path, damaged + 1, 3)
    with machine_on(path) as machine:
        machine.wait_for(r"warning: store: the index is damaged; reading all \d+ segments")
        ask_all(machine)
        shut_down(machine)
    assert verify(path)[0] == 0


def test_index_of_the_newest_checkpoint(path):
    newest = max(geometry(path)[2], key=lambda area: sequence_of_checkpoint(path, area))
    flip(path, newest + 1, 3)
    with machine_on(path) as machine:
        machine.wait_for(r"warning: store: the index is damaged; reading all")
        ask_all(machine)


def sequence_of_checkpoint(path, area):
    return struct.unpack_from("<Q", path.read_bytes(), area * SECTOR + 32)[0]


def test_header_of_a_batch_that_the_index_knows(path):
    """Nobody reads it: the index says where its records are."""
    first, _, _ = geometry(path)
    flip(path, first, 40)
    assert verify(path)[0] == 4
    with machine_on(path) as machine:
        ask_all(machine)


@pytest.mark.parametrize("what", ["head", "page"])
def test_a_damaged_record_costs_its_own_vm(path, what):
    entry = listed(path)[SLOT]
    flip(path, entry["sector"] + (0 if what == "head" else entry["bytes"] // SECTOR - 2))
    assert verify(path)[0] == 4
    with machine_on(path) as machine:
        ask_all(machine, anew=[VICTIM])
        machine.wait_for(rf"warning: \[web/{VICTIM}\] .*cannot be used .*anew")
        assert machine.console().count("anew") == 1
        shut_down(machine)
    assert_sound(path)


def test_a_torn_last_batch(path):
    """Cut off in its last record: that VM is as it was before, or begins anew; no other."""
    with machine_on(path) as machine:
        ask_all(machine)
        machine.cut_power()
    entries = [e for e in listed(path, "--long").values() if e["state"] == "stored"]
    last = max(entries, key=lambda e: (e["sequence"], e["sector"]))
    with open(path, "r+b") as file:
        file.seek(last["sector"] * SECTOR + last["bytes"] - SECTOR)
        file.write(bytes(SECTOR))
    status, found = verify(path)
    assert status == 0 and found["torn_records"] == 1, found
    with machine_on(path) as machine:
        machine.wait_until_serving()
        assert set(requests(machine.status_of_all(FEW))) <= {2, 3}
        shut_down(machine)
    assert_sound(path)


def test_a_truncated_file(path):
    """The segments that are left are read; a VM whose record was cut off begins anew."""
    first, size, _ = geometry(path)
    with open(path, "r+b") as file:
        file.truncate((first + 9 * size) * SECTOR)
    assert verify(path)[0] != 0
    with machine_on(path) as machine:
        machine.wait_for(r"warning: store: cut off: \d+ sectors of \d+")
        machine.wait_until_serving()
        assert set(requests(machine.status_of_all(FEW))) <= {1, 2}


def test_a_file_that_ends_before_its_segments(path):
    first, size, _ = geometry(path)
    with open(path, "r+b") as file:
        file.truncate((first + size) * SECTOR)
    with machine_on(path) as machine:
        all_answer_without_a_store(machine, "store: ")


def test_a_newer_version(path):
    data = bytearray(path.read_bytes())
    for sector in SUPERS:
        block = bytearray(data[sector * SECTOR:(sector + 1) * SECTOR])
        struct.pack_into("<I", block, 8, 2)
        data[sector * SECTOR:(sector + 1) * SECTOR] = with_crc(bytes(block))
    path.write_bytes(data)
    with machine_on(path) as machine:
        all_answer_without_a_store(machine, "store: version 2, this Toklat knows 1")
    assert path.read_bytes() == bytes(data)
    assert tool("verify", path).returncode == 8


def test_a_store_of_another_deployment(path):
    before = path.read_bytes()
    source = (Machine.images().parent.parent / "dts/web.dts").read_text()
    with Machine(source.replace("web: web {", "web: other {"), vms=20, store=path,
                 mem=MEMORY) as machine:
        all_answer_without_a_store(machine, "store: of another deployment")
    assert path.read_bytes() == before


def test_a_store_with_too_few_places(tmp_path):
    path = make_store(tmp_path, "--size", "10M", "--segment", "1M", "--vms", "50")
    with machine_on(path) as machine:
        all_answer_without_a_store(machine, rf"store: has places for 50 VMs, .* has {FEW + 1}")


def test_a_device_without_a_store(tmp_path):
    path = tmp_path / "zeroes.img"
    path.write_bytes(bytes(1 << 20))
    with machine_on(path) as machine:
        all_answer_without_a_store(machine, "store: the device holds none; toklat store create")
    assert path.read_bytes() == bytes(1 << 20)


def test_no_device(path):
    assert path
    with machine_on(None) as machine:
        machine.wait_for(r"toklat: no store: VMs live in memory alone")
        machine.wait_until_serving()
        assert requests(machine.status_of_all(20)) == [1] * 20
