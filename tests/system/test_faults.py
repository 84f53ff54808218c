# SPDX-License-Identifier: BSD-2-Clause
"""A VM that goes wrong hurts nobody else: its own end is said, and the others serve on."""

import re

import pytest

from machine import Machine

# What the guest in tests/guests/faulty does, by its argument -> what the console says of its end.
FATAL = {
    "write-outside": "wrote outside its memory",
    "read-outside": "read outside its memory",
    "write-text": "wrote to read-only memory",
    "execute-data": "executed data",
    "null-jump": "jumped to NULL",
    "sysreg": "accessed a forbidden system register",
    "wild-ring": "queue",
}
# These end by themselves, live on with an error code, or never end.
HARMLESS = ["exit", "spin", "bad-hypercall"]
WEB_VMS = 5

GROUP = """
    {name} {{
        compatible = "toklat,group";
        image = "faulty.elf";
        args = "{name}";
        network = "internal";
        start = "boot";
    }};
"""
WEB = """
    portal {
        compatible = "toklat,group";
        image = "portal.elf";
        network = "uplink";
        peers = <&web>;
        start = "boot";
    };
    web: web {
        compatible = "toklat,group";
        image = "httpd.elf";
        instances = <%d>;
        network = "internal";
    };
""" % WEB_VMS


@pytest.fixture(scope="module", name="machine")
def machine_fixture():
    groups = "".join(GROUP.format(name=name) for name in [*FATAL, *HARMLESS])
    text = '/dts-v1/;\n/ { compatible = "toklat,deployment-v1";\n' + WEB + groups + "};\n"
    with Machine(text) as machine:
        machine.wait_until_serving()
        yield machine


@pytest.mark.parametrize("fault", FATAL)
def test_fault_ends_its_own_vm_with_the_reason(machine, fault):
    machine.wait_for(rf"^\[{fault}/1\] killed: .*{FATAL[fault]}", 20)


def test_exit_is_said_with_its_status(machine):
    machine.wait_for(r"^\[exit/1\] exited with status 7", 20)


def test_bad_hypercalls_get_codes(machine):
    machine.wait_for(r"^\[bad-hypercall/1\] .*all refused", 20)


def test_others_serve_while_one_spins(machine):
    for number in range(1, WEB_VMS + 1):
        assert machine.get_json(f"/vm/{number}/status.json")["instance"] == number


def test_the_last_fault_can_be_looked_at(machine):
    machine.wait_for(r"null-jump", 20)
    start = machine.send_key("r")
    machine.wait_for(r"(?i)esr", 10, start)


def test_every_byte_of_memory_is_still_accounted_for(machine):
    whole = machine.footprint()["machine"]
    ram = whole.pop("ram_bytes")
    assert sum(whole.values()) == ram
    assert not re.search(r"(?i)panic", machine.console())
