# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of several boards do alike."""

import subprocess

from machine import ROOT, Machine
from test_slip import fetch

BOOT_SECONDS = 120
TOOL_SECONDS = 30


def wait_for_vms(machine):
    machine.wait_for(r"^toklat: group web: template of", BOOT_SECONDS)


def serves_and_stores(board, initrd, store):
    """The card `store` is the store, VMs answer over the serial line, and what they were is written
    before the power is off."""
    with Machine(initrd=initrd, board=board, store=store) as machine:
        wait_for_vms(machine)
        assert "store device sd-card" in machine.console()
        answers, _ = fetch(machine.line, "/", "/vm/1/", "/vm/4/")
        assert [answer.split()[0] for answer in answers] == ["200"] * 3
        machine.send_key("Q")
        assert machine.wait_for_end(60) == 0
    subprocess.run([ROOT / "build/toklat", "store", "verify", store], check=True,
                   timeout=TOOL_SECONDS)
