# SPDX-License-Identifier: BSD-2-Clause
"""Several CPUs at work: VMs are spread over them, and no lock is taken where it is fast."""

import re

import pytest

from machine import Machine

pytestmark = pytest.mark.own_machine

CPUS, VMS = 4, 32
REQUESTS = 400
LOCK = re.compile(r"lock of ([^:]*): taken (\d+) times, (\d+) times after another CPU had it")
HOME = re.compile(r"^CPU (\d+): home of (\d+),", re.M)


@pytest.fixture(scope="module", name="machine")
def machine_fixture():
    with Machine("dts/web.dts", vms=VMS, smp=CPUS) as machine:
        machine.wait_until_serving()
        assert len(machine.status_of_all(VMS)) == VMS
        yield machine


def said(machine, key, first):
    """What a debug key prints, which begins with `first` and ends with the last CPU's."""
    start = machine.send_key(key)
    machine.wait_for(rf"^CPU {CPUS - 1}: .*\n", start=start)
    console = machine.console()
    return console[console.rindex(first):]


def locks(machine):
    found = LOCK.findall(said(machine, "l", "lock of frames"))
    return {name: int(taken) for name, taken, _ in found}


def test_every_cpu_is_home_to_some(machine):
    homes = dict(HOME.findall(said(machine, "r", "CPU 0: home")))
    assert sorted(map(int, homes)) == list(range(CPUS))
    assert sum(map(int, homes.values())) == VMS + 3  # the portal, and two templates
    assert min(map(int, homes.values())) >= 2


def test_no_lock_is_taken_where_it_is_fast(machine):
    """Requests of VMs that live: traps, switches, frames between CPUs and from outside."""
    before = locks(machine)
    for i in range(REQUESTS):
        assert machine.get(f"/vm/{i % VMS + 1}/status.json")[0] == 200
    after = locks(machine)
    assert len(before) == 5
    assert all(after[name] - before[name] < REQUESTS / 20 for name in before), (before, after)


def test_cpus_talk_by_messages(machine):
    lines = re.findall(r"CPU (\d): (\d+) VMs came, (\d+) went; (\d+) messages and (\d+) interrupts "
                       r"sent, (\d+) messages without room", said(machine, "l", "lock of frames"))
    assert len(lines) == CPUS
    came, went, messages = (sum(int(line[i]) for line in lines) for i in (1, 2, 3))
    assert came == went > 0
    assert messages > came
    assert all(line[5] == "0" for line in lines)
