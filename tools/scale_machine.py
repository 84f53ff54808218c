# SPDX-License-Identifier: BSD-2-Clause
"""A machine of very many web VMs with a store, and the load generator beside it, both in the
namespace that tools/in-namespace made.

    with Store(sd=False) as store, ScaleMachine(100_000, store) as machine:
        machine.touch(1, 1000)
        machine.closed(1, 1000, seconds=3)["requests_per_s"]
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from machine import ROOT, Machine, MachineError

LOAD = ROOT / "build/bench/load"
TOKLAT = ROOT / "build/toklat"
STORE_BYTES = "32G"
CONCURRENCY = 32
REPEATS = 3  # of which the middle one counts: other work of the host disturbs one more than another
ZIPF = 1.0
BASE = (10 << 24) + (64 << 16)
CONNECT_SECONDS = 0.1  # a SYN that came too early is not answered: the next one may be
ANSWER_SECONDS = 10
BOOT_SECONDS = 120
NBDKIT_SECONDS = 10


def enter_namespace():
    """Begins this program anew in the namespace, unless it is there."""
    if "tap0" not in (name for _, name in socket.if_nameindex()):
        command = [str(ROOT / "tools/in-namespace"), *sys.argv]
        os.execv(command[0], command)


def have_store():
    return TOKLAT.exists()


class Store:
    """A fresh, sparse store in a file; with `sd`, as slow as an SD card. `where` is what QEMU is
    told: empty when this build has no store."""

    def __init__(self, sd=False):
        self.sd = sd
        self.where = ""
        self._folder = None
        self._nbdkit = None

    def __enter__(self):
        if not have_store():
            return self
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="scale-", dir=ROOT / "build"))
        file = self._folder / "store"
        command = [TOKLAT, "store", "create", file, "--size", STORE_BYTES]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            self.__exit__()
            raise MachineError(f"store create: {made.stdout}{made.stderr}")
        self.where = str(file)
        if self.sd:
            self._serve(file)
        return self

    def _serve(self, file):
        # Relative: the name of a socket has room for 107 characters.
        path = (self._folder / "socket").relative_to(ROOT)
        # A card serves one command after the other.
        command = ["nbdkit", "--foreground", "--exit-with-parent", "--threads", "1", "-U", path]
        command += ["--filter=delay", "file", file, "rdelay=1ms"]
        self._nbdkit = subprocess.Popen(command, cwd=ROOT)
        limit = time.monotonic() + NBDKIT_SECONDS
        while not (ROOT / path).exists():
            if self._nbdkit.poll() is not None or time.monotonic() > limit:
                self.__exit__()
                raise MachineError("nbdkit does not serve the store")
            time.sleep(0.05)
        self.where = f"nbd:unix:{path}"

    def __exit__(self, *_):
        if self._nbdkit:
            self._nbdkit.terminate()
            self._nbdkit.wait()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


class ScaleMachine(Machine):
    """dts/scale.dts with `vms` VMs, at 10.64.0.1 and on."""

    def __init__(self, vms, store, *, append="", mem="1G", **settings):
        super().__init__("dts/scale.dts", vms=vms, append=append, mem=mem, **settings)
        self._environment |= {"NET": "tap", "STORE": store.where}
        self.vms = vms
        self.first_answer_s = None

    def __enter__(self):
        begun = time.monotonic()
        super().__enter__()
        try:
            self.wait_until(self._answers, BOOT_SECONDS, "a first answer")
        except BaseException:
            self.stop()
            raise
        self.first_answer_s = time.monotonic() - begun
        return self

    @staticmethod
    def _answers():
        link = http.client.HTTPConnection("10.64.0.1", timeout=CONNECT_SECONDS)
        with contextlib.closing(link):
            link.connect()
            link.sock.settimeout(ANSWER_SECONDS)
            link.request("GET", "/status.json")
            return link.getresponse().status == 200

    def gate(self, timeout=60):
        """The counters that the debug key `g` prints; empty when there is no such key."""
        start = self.send_key("g")
        found = self.wait_for(r'^(\{"gatekeeper".*\}|no debug key .g.*)\r?\n', timeout, start)
        text = found.group(1).decode()
        return json.loads(text)["gatekeeper"] if text.startswith("{") else {}

    def resident(self):
        gate = self.gate()
        if "resident" in gate:
            return gate["resident"]
        return sum(image["count"] for image in self.footprint()["images"].values())

    # Loads: each returns what the load generator wrote.

    def _load(self, first, last, *arguments):
        self.check_alive()
        report = self.folder / "load.json"
        command = [LOAD, *map(str, arguments), "--json", report, "--check-instance"]
        command += [] if "--touch" in arguments else ["--vms", f"{first}-{last}"]
        shown = None if sys.stderr.isatty() else subprocess.PIPE
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=shown, text=True, check=False
        )
        if done.returncode not in (0, 1):
            raise MachineError(f"load: {done.stderr}")
        return json.loads(report.read_text())

    def touch(self, first, last, concurrency=CONCURRENCY, seconds=None):
        """Each VM once."""
        limit = ["--seconds", seconds] if seconds else []
        return self._load(first, last, "--touch", f"{first}-{last}", "--closed", concurrency,
                          *limit)

    def closed(self, first, last, seconds, concurrency=CONCURRENCY, zipf=ZIPF):
        """The run of median throughput, with the outcomes of all."""
        runs = [
            self._load(first, last, "--closed", concurrency, "--zipf", zipf, "--seed", seed,
                       "--seconds", max(seconds / 2, 0.1))
            for seed in range(1, REPEATS + 1)
        ]
        outcomes = {k: sum(r["outcomes"][k] for r in runs) for k in runs[0]["outcomes"]}
        middle = sorted(runs, key=lambda r: r["requests_per_s"])[REPEATS // 2]
        return middle | {"outcomes": outcomes}

    def open(self, first, last, seconds, rate, zipf=ZIPF):
        return self._load(first, last, "--rate", max(rate, 1), "--zipf", zipf,
                          "--seconds", seconds)


def failures(report):
    """What was not answered, by kind."""
    return {k: n for k, n in report["outcomes"].items() if n and k != "answered"}
