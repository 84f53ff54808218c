#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-2-Clause
"""Cuts the power of a machine again and again while its VMs come and go, and looks at what is left.

    power_cut.py [--cuts 200] [--seed N] [--vms 800] [--keep FILE] [--kernel FILE]

Web VMs, more than memory holds, are asked at random; each counts its requests. At a random moment
QEMU is killed (SIGKILL), and of what its device had not flushed a random part is lost. Then:

1. toklat store verify finds no error;
2. every VM's newest record is at least as new as the last one that was acknowledged: whose flush
   was answered, or that the machine itself read back because it had given up what was in memory;
3. the counter in every VM's record is at least what was acknowledged, read from the file, and at
   most what was asked, and what records may have had on its way;
4. the next boot finds every record, and every VM that is asked goes on counting from there.

At the end the machine is shut down, and every VM's record has what the VM answered last.
A seed repeats a run's choices; the timing is the machine's own. Exit status: 0 when nothing was
lost, 1 otherwise.
"""

import argparse
import json
import pathlib
import random
import re
import shutil
import socket
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/fault")]

# pylint: disable=wrong-import-position
import store_image
from forgetful import FLUSH, READ, WRITE, Forgetful
from machine import Machine, make_deployment

FAILED = ROOT / "build/power-cut.img"
VMS = 600
MEMORY = "10M"  # for about 90 of them
STORE_OPTIONS = ["--size", "20M", "--segment", "1M", "--vms", "1024"]
FIRST_SLOT = 2  # the portal is VM 1
CLIENTS = 6
# Requests of the last boot that a VM may yet count: one that is in its record, not looked at, and
# one that is in the portal's, which sends it again.
PENDING = 2
LOAD_SECONDS = 1.2
CUT_AT_BOOT = 0.1  # share of the cuts
BOOT_SECONDS = 1.0  # within which these fall
REQUEST_SECONDS = 20
FLUSH_SECONDS = 0.005
BAD_LINES = re.compile(r"begins? anew|cannot be|damaged|takes no more|killed|lost|panic")
NUMBER = re.compile(rb'"requests": (\d+)')


class Lost(AssertionError):
    """Something that was acknowledged is not there any more, or is not as it was."""


class Acknowledged:
    """Watches a device. `newest` has, by slot, where in the log its last acknowledged record or
    mark is: (batch, entry)."""

    def __init__(self):
        self.newest = {}
        self.batches = self.checkpoints = 0
        self._where = {}  # sector of a record -> (sector of the batch, slot, (batch, entry))
        self._this_boot = {}
        self._unflushed = []

    def boot(self):
        self._this_boot = {}
        self._unflushed = []

    def __call__(self, op, sector, data):
        if op == WRITE:
            self._write(sector, data)
        elif op == FLUSH:
            for slot, order in self._unflushed:
                self._acknowledge(slot, order)
            self._unflushed = []
        elif op == READ and sector in self._this_boot:
            self._acknowledge(*self._this_boot[sector])

    def _write(self, start, data):
        batch = store_image.batch_entries(data)
        if not batch:
            self.checkpoints += store_image.is_checkpoint(data)
            return
        self.batches += 1
        for i, (slot, sector) in enumerate(batch[1]):
            order = (batch[0], i)
            self._where[sector] = (start, slot, order)
            self._this_boot[sector] = (slot, order)
            self._unflushed.append((slot, order))

    def _acknowledge(self, slot, order):
        self.newest[slot] = max(self.newest.get(slot, order), order)

    def check(self, file, slots):
        """Raises Lost when `slots`, {slot: sector}, has an older record than it may."""
        for slot, order in self.newest.items():
            sector = slots.get(slot, 0)
            start, owner, found = self._where.get(sector, (0, 0, (0, 0)))
            # Its batch is still there, or was the last one and is torn in its header.
            written = (store_image.sequence_of_batch(file, start),
                       store_image.sequence_of_record(file, sector))
            if owner != slot or found[0] not in written:
                raise Lost(f"slot {slot}: no record that was written, but {sector}")
            if found < order:
                raise Lost(f"slot {slot}: record {found}, {order} was acknowledged")


class Load:
    """Clients that ask VMs at random, one request at a time for each VM. A VM's counter is between
    run.low and run.high: what it answered last, and what it would have counted if it had got all
    requests."""

    def __init__(self, run, seed, slots=None, ordered=False):
        self.answers = self.refused = 0
        self.problem = None
        self.stopping = False
        self._run = run
        self._threads = []
        for i in range(CLIENTS):
            mine = (slots or run.web_slots)[i::CLIENTS]
            choices = iter(mine) if ordered else self._at_random(random.Random(seed + i), mine)
            self._threads.append(threading.Thread(target=self._ask_all, args=(choices,)))
            self._threads[-1].start()

    @staticmethod
    def _at_random(choices, slots):
        while True:
            yield choices.choice(slots)

    def join(self):
        for thread in self._threads:
            thread.join()

    def _ask_all(self, slots):
        for slot in slots:
            if self.stopping or self.problem:
                return
            try:
                self._ask(slot)
            except OSError as problem:
                if not self.stopping:
                    self.problem = Lost(f"slot {slot}: no answer: {problem!r}")
            except Lost as problem:
                self.problem = problem

    def _ask(self, slot):
        run = self._run
        run.high[slot] += 1
        answer = exchange(run.machine.port, f"/vm/{slot - FIRST_SLOT + 1}/status.json")
        number = NUMBER.search(answer)
        if not number:
            if self.stopping:
                return
            raise Lost(f"slot {slot}: {answer[:200]!r}")
        count = int(number.group(1))
        if not run.low[slot] + 1 <= count <= run.high[slot]:
            raise Lost(f"slot {slot}: answers {count}, expected {run.low[slot] + 1} "
                       f"to {run.high[slot]}")
        run.low[slot] = count
        self.answers += 1


def exchange(port, path, timeout=REQUEST_SECONDS):
    with socket.create_connection(("127.0.0.1", port), timeout) as link:
        link.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while chunk := link.recv(4096):
            answer += chunk
        return answer


class Run:
    """One store over many boots."""

    def __init__(self, folder, vms, seed, store=None, kernel=None):
        self.folder = pathlib.Path(folder)
        self.store = pathlib.Path(store or self.folder / "store.img")
        done = store_image.tool("create", self.store, *STORE_OPTIONS, "--force")
        assert done.returncode == 0, done.stderr
        self.initrd = make_deployment("dts/web.dts", self.folder, {"VMS": vms})
        self.web_slots = list(range(FIRST_SLOT, FIRST_SLOT + vms))
        self.kept = dict.fromkeys(self.web_slots, 0)  # what the file held, as last looked at
        self.low, self.high = dict(self.kept), dict(self.kept)
        self.counter_at = store_image.symbol("httpd", "requests_served")
        self.random = random.Random(seed)
        self.acknowledged = Acknowledged()
        self.sectors = {}  # of the web VMs' records, as last looked at
        self.kernel = kernel
        self.machine = None
        self.totals = {"answers": 0, "lost_sectors": 0, "lossy": 0, "torn": 0}

    def boot(self, device):
        self.acknowledged.boot()
        self.machine = Machine(initrd=self.initrd, store=device.url, mem=MEMORY, kernel=self.kernel)
        return self.machine

    def wait_until_serving(self):
        self.machine.wait_for(r"group web: template")
        self.machine.wait_until(lambda: b"200 OK" in exchange(self.machine.port, "/", 0.3))

    def cut(self, device):
        """One boot, its load and its end."""
        with self.boot(device) as machine:
            if self.random.random() < CUT_AT_BOOT:
                time.sleep(self.random.uniform(0, BOOT_SECONDS))
                load = None
            else:
                self.wait_until_serving()
                load = Load(self, self.random.getrandbits(32))
                time.sleep(self.random.uniform(0, LOAD_SECONDS))
                load.stopping = True
            device.freeze()
            machine.cut_power()
            if load:
                load.join()
                self.totals["answers"] += load.answers
            self.check_console(load)
        share = self.random.choice([0, 1, self.random.random()])
        lost = device.lose_power(self.random, share)
        self.totals["lost_sectors"] += lost
        self.totals["lossy"] += lost > 0

    def check_console(self, load):
        if load and load.problem:
            raise Lost(f"{load.problem}{self.machine.tail()}")
        for line in self.machine.console().splitlines():
            if BAD_LINES.search(line):
                raise Lost(f"{line}{self.machine.tail()}")

    def verify(self):
        done = store_image.tool("verify", self.store, "--json")
        if done.returncode != 0:
            raise Lost(f"verify: exit code {done.returncode}: {done.stdout}{done.stderr}")
        self.totals["torn"] += json.loads(done.stdout)["torn_records"]

    def check_store(self, all_answers=False):
        """What is in the file is what may be there; from here the VMs go on."""
        self.verify()
        slots = {slot: e["sector"] for slot, e in store_image.listed(self.store).items()
                 if e["state"] in ("stored", "template")}
        with open(self.store, "rb") as file:
            self.acknowledged.check(file, slots)
            for slot in self.web_slots:
                self._check_counter(file, slot, slots.get(slot), all_answers)

    def _check_counter(self, file, slot, sector, all_answers):
        count = 0
        if sector:
            count = store_image.word_of_record(file, sector, slot, self.counter_at)
            self.sectors[slot] = sector
        elif self.sectors.pop(slot, None):
            raise Lost(f"slot {slot}: had a record")
        floor = self.low[slot] if all_answers else self.kept[slot]
        if not floor <= count <= self.high[slot]:
            raise Lost(f"slot {slot}: {count} in its record, {floor} to {self.high[slot]} expected")
        self.low[slot] = self.kept[slot] = count
        self.high[slot] = count + PENDING

    def finish(self, device):
        """Everybody answers; then a shutdown, which keeps everything."""
        with self.boot(device) as machine:
            self.wait_until_serving()
            load = Load(self, 0, ordered=True)
            load.join()
            self.check_console(load)
            if load.answers != len(self.web_slots):
                raise Lost(f"{load.answers} of {len(self.web_slots)} answered{machine.tail()}")
            machine.send_key("Q")
            machine.wait_for_end(60)
            self.check_console(None)
        self.check_store(all_answers=True)

    def say(self, text):
        """What the run has seen so far."""
        totals = self.totals
        return (f"{text}: {totals['answers']} answers, {self.acknowledged.batches} batches, "
                f"{self.acknowledged.checkpoints} checkpoints, {len(self.sectors)} VMs with a "
                f"record; {totals['lossy']} cuts lost {totals['lost_sectors']} sectors, "
                f"{totals['torn']} torn records")


def power_cuts(folder, cuts, vms, seed, progress=None, **more):
    """Runs it all; raises Lost. Returns the Run."""
    run = Run(folder, vms, seed, **more)
    with Forgetful(run.store, run.acknowledged, flush_seconds=FLUSH_SECONDS) as device:
        for i in range(cuts):
            run.cut(device)
            run.check_store()
            if progress:
                progress(i + 1, run)
        run.finish(device)
    return run


def main():
    options = argparse.ArgumentParser(description="Cuts the power of a machine with a store.")
    options.add_argument("--cuts", type=int, default=200)
    options.add_argument("--vms", type=int, default=VMS)
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--keep", metavar="FILE", help="the store, which stays")
    options.add_argument("--kernel", metavar="FILE", help="instead of build/toklat.bin")
    arguments = options.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().getrandbits(31)
    begun = time.monotonic()

    def progress(done, run):
        end = "\n" if done % 20 == 0 or not sys.stdout.isatty() else "\r"
        if done % 20 == 0 or sys.stdout.isatty():
            print(run.say(f"  {done} of {arguments.cuts}, {time.monotonic() - begun:.0f} s"),
                  end=end, flush=True)

    print(f"power-cut: {arguments.cuts} cuts, {arguments.vms} VMs, --seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="toklat-") as folder:
        try:
            run = power_cuts(folder, arguments.cuts, arguments.vms, seed, progress,
                             store=arguments.keep, kernel=arguments.kernel)
        except AssertionError as problem:
            print(f"power-cut: FAILED: {problem}")
            if not arguments.keep:
                shutil.copy(pathlib.Path(folder) / "store.img", FAILED)
                print(f"power-cut: the store is {FAILED}")
            return 1
    seconds = time.monotonic() - begun
    print(run.say(f"power-cut: {arguments.cuts} cuts in {seconds:.0f} s, nothing lost"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
