# SPDX-License-Identifier: BSD-2-Clause
"""How VMs share the CPU, by their own clocks, and what the boot arguments switch."""

import re

import pytest

from machine import Machine

TOLERANCE = 0.25  # of a share: the VMs begin one after the other

GROUP = """
    {name} {{
        compatible = "toklat,group";
        image = "faulty.elf";
        args = "vtime";
        instances = <{instances}>;
        weight = <{weight}>;
        start = "boot";
    }};
"""


def shares(groups):
    """Name/instance -> share of the CPU while it was busy. Groups are (name, instances, weight)."""
    nodes = "".join(GROUP.format(name=n, instances=i, weight=w) for n, i, w in groups)
    text = '/dts-v1/;\n/ { compatible = "toklat,deployment-v1";\n' + nodes + "};\n"
    count = sum(instances for _, instances, _ in groups)
    expression = re.compile(r"^\[(\S+)\] busy: virtual (\d+) ns, wall (\d+) ns", re.M)
    with Machine(text, mem="128M", smp=1, icount=True) as machine:
        found = machine.wait_until(
            lambda: (f := expression.findall(machine.console())) and len(f) == count and f
        )
    return {name: int(virtual) / int(wall) for name, virtual, wall in found}


def test_one_alone_has_nearly_all():
    assert shares([("alone", 1, 256)])["alone/1"] > 0.9


def test_equals_share_equally():
    for name, share in shares([("equal", 4, 256)]).items():
        assert share == pytest.approx(1 / 4, rel=TOLERANCE), name


def test_weights_count():
    found = shares([("light", 1, 128), ("heavy", 1, 384)])
    assert found["light/1"] == pytest.approx(1 / 4, rel=TOLERANCE)
    assert found["heavy/1"] == pytest.approx(3 / 4, rel=TOLERANCE)


@pytest.mark.parametrize("append, said", [
    ("events=synchronous", "events synchronous"),
    ("events=batched compensation=off", "events batched, compensation off"),
])
def test_boot_arguments_are_obeyed(append, said):
    with Machine("dts/web.dts", vms=50, mem="128M", append=append) as machine:
        machine.wait_until_serving()
        assert len(machine.status_of_all(50)) == 50
        start = machine.send_key("r")
        machine.wait_for(said, 60, start)


def test_unknown_boot_argument_is_said():
    with Machine("dts/web.dts", vms=1, append="events=never") as machine:
        machine.wait_for(r"toklat: warning: .*events=never.*batched\|synchronous")
        machine.wait_until_serving()
