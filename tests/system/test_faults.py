# SPDX-License-Identifier: BSD-2-Clause
"""A VM that goes wrong hurts nobody else: its own end is said, and the others serve on."""

import pytest

from groups import web_groups
from machine import Machine

# What the guest in tests/guests/faulty does, by its argument -> what the console says of its end.
OUTSIDE = "outside its memory"
FORBIDDEN = "forbidden"
FATAL = {
    "write-outside": f"wrote {OUTSIDE}",
    "read-outside": f"read {OUTSIDE}",
    "far-address": OUTSIDE,
    "gap": OUTSIDE,
    "write-text": "wrote to read-only memory",
    "write-rodata": "wrote to read-only memory",
    "execute-data": "executed data",
    "null-jump": "jumped to NULL",
    "stack-overflow": OUTSIDE,
    "setway": FORBIDDEN,
    "sysreg": FORBIDDEN,
    "debug-register": FORBIDDEN,
    "physical-timer": FORBIDDEN,
}
WILD_RINGS = ["", "-empty-loop", "-next", "-outside", "-wraps", "-null", "-direction", "-indirect"]
WILD_RINGS += ["-head", "-index", "-desc", "-avail", "-used", "-text"]
# These live on, and say themselves whether all was as it should be.
SURVIVES = ["bad-hypercall", "smc", "odd-frames", "fp", "vtime", "events", "page-release"]
SURVIVES += ["flood-console"]
WEB_VMS = 5

GROUP = """
    {name} {{
        compatible = "toklat,group";
        image = "{image}.elf";
        args = "{args}";
        network = "internal";
        start = "boot";
    }};
"""
WEB = web_groups(WEB_VMS)


def group(name, image="faulty", args=None):
    return GROUP.format(name=name, image=image, args=name if args is None else args)


def boot(groups):
    head = '/dts-v1/;\n/ { compatible = "toklat,deployment-v1";\n'
    return Machine(head + WEB + "".join(groups) + "};\n")


@pytest.fixture(scope="module", name="machine")
def machine_fixture():
    """Every way to end, one VM each, beside a few web servers."""
    groups = [group(name) for name in [*FATAL, "exit", "spin", "heap-exhaust"]]
    groups += [group("stillborn", "stillborn", "fault")]
    groups += [group("stillborn-exit", "stillborn", "exit")]
    with boot(groups) as machine:
        machine.wait_until_serving()
        yield machine


@pytest.fixture(scope="module", name="survivors")
def survivors_fixture():
    """What a VM survives, and what its rings may look like."""
    groups = [group(f"wild-ring{kind}") for kind in WILD_RINGS]
    groups += [group(name) for name in SURVIVES] + [group("large", "large", "")]
    with boot(groups) as machine:
        machine.wait_until_serving()
        yield machine


@pytest.mark.any_board
@pytest.mark.parametrize("fault", FATAL)
def test_fault_ends_its_own_vm_with_the_reason(machine, fault):
    machine.wait_for(rf"^\[{fault}/1\] killed: .*{FATAL[fault]}", 60)
    assert "still alive" not in machine.console()


@pytest.mark.any_board
def test_exit_is_said_with_its_status(machine):
    machine.wait_for(r"^\[exit/1\] exited with status 7", 60)


@pytest.mark.any_board
@pytest.mark.parametrize("name", ["stillborn", "stillborn-exit"])
def test_template_that_dies_fails_its_group(machine, name):
    machine.wait_for(rf"toklat: .*{name}.*(?:fail|no template)", 60)


def test_others_serve_while_one_spins(machine):
    machine.wait_for(r"spin/1\] spinning", 60)
    assert len(machine.status_of_all(WEB_VMS)) == WEB_VMS


@pytest.mark.any_board
def test_the_last_fault_can_be_looked_at(machine):
    machine.wait_for(r"^\[null-jump/1\] killed", 60)
    start = machine.send_key("d")
    machine.wait_for(r"ESR_EL2", 60, start)


@pytest.mark.any_board
@pytest.mark.parametrize("kind", WILD_RINGS)
def test_wild_ring_ends_its_own_vm(survivors, kind):
    survivors.wait_for(rf"^\[wild-ring{kind}/1\] killed: .*queue", 60)


@pytest.mark.any_board
@pytest.mark.parametrize("name", [*SURVIVES, "large"])
def test_is_survived_and_as_it_should_be(survivors, name):
    survivors.wait_for(rf"^\[{name}/1\] (?:PASS|FAIL) {name}", 60)
    lines = [line for line in survivors.console().splitlines() if line.startswith(f"[{name}/1]")]
    assert not [line for line in lines if "FAIL" in line]


@pytest.mark.parametrize("name", ["machine", "survivors"])
def test_every_byte_is_still_accounted_for(request, name):
    machine = request.getfixturevalue(name)
    whole = machine.footprint()["machine"]
    ram = whole.pop("ram_bytes")
    assert sum(whole.values()) == ram
    assert len(machine.status_of_all(WEB_VMS)) == WEB_VMS
