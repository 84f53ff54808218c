# SPDX-License-Identifier: BSD-2-Clause
"""Machines with a store that the system tests share: few frames, more VMs than these hold."""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/fault"))

import store_image  # pylint: disable=wrong-import-position

MEMORY = "10M"  # for about 90 web VMs
VMS = 250
WEB = 2  # number of the first web VM: the portal is VM 1
SECTOR = store_image.SECTOR
SIZES = ["--size", "20M", "--segment", "1M", "--vms", "512"]


def make_store(folder, *options):
    path = pathlib.Path(folder) / "store.img"
    done = store_image.tool("create", path, *(options or SIZES), "--force")
    assert done.returncode == 0, done.stderr
    return path


def key_json(machine, key, name):
    """The line of JSON that a debug key prints, without its name."""
    start = machine.send_key(key)
    line = machine.wait_for(rf'^\{{"{name}".*\}}\r?\n', 60, start)
    return json.loads(line.group())[name]


def gatekeeper(machine):
    return key_json(machine, "g", "gatekeeper")


def store(machine):
    return key_json(machine, "s", "store")


def shut_down(machine):
    machine.send_key("Q")
    machine.wait_for(r"shutdown: done", 30)
    assert machine.wait_for_end() == 0


def verify(path, *options):
    """toklat store verify: (exit code, what it found)."""
    done = store_image.tool("verify", path, "--json", *options)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def assert_sound(path):
    status, found = verify(path)
    assert status == 0, found


def records(path):
    """Slots of VMs that have a record."""
    return {slot for slot, e in store_image.listed(path).items() if e["state"] == "stored"}


def requests(statuses):
    return [status["requests"] for status in statuses]
