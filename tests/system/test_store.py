# SPDX-License-Identifier: BSD-2-Clause
"""VMs that live in a store when they are out of memory, as those see it who use them."""

import json
import socket

import pytest

from groups import web_groups
from machine import Connection, Machine, free_port
from stores import (MEMORY, VMS, WEB, assert_sound, gatekeeper, make_store, records, requests,
                    shut_down, store)
from store_image import listed

HEAD = '/dts-v1/;\n/ { compatible = "toklat,deployment-v1";\n'
UNTOUCHED = 20  # web VMs that nobody asks
THREADS = 16  # that ask at a time: Machine.status_of_all


class Direct:
    """A port of this machine that leads to one web VM, past the portal."""

    def __init__(self, folder):
        self.monitor = f"{folder}/monitor"
        self.qemu = ["-monitor", f"unix:{self.monitor},server=on,wait=off"]

    def port_of(self, instance):
        port = free_port()
        number = WEB + instance - 1
        address = f"10.64.{number >> 8}.{number & 255}"
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(10)
            link.connect(self.monitor)
            self._until_prompt(link)
            link.sendall(f"hostfwd_add net0 tcp:127.0.0.1:{port}-{address}:80\n".encode())
            self._until_prompt(link)
        return port

    @staticmethod
    def _until_prompt(link):
        said = b""
        while not said.endswith(b"(qemu) "):
            said += link.recv(4096)


def web_machine(path, vms=VMS, **more):
    return Machine("dts/web.dts", vms=vms, store=path, mem=MEMORY, **more)


def sector_of(path, instance):
    return listed(path).get(WEB + instance - 1, {}).get("sector")


def ask_until_out(machine, path, instance, others):
    """Asks a VM, and then others until it has a new record: it has left."""
    machine.get_json(f"/vm/{instance}/status.json")
    before = sector_of(path, instance)
    for other in others:
        machine.get_json(f"/vm/{other}/status.json")
        if sector_of(path, instance) != before:
            return
    raise AssertionError(f"VM {instance} never left" + machine.tail())


# One machine that all look at.

@pytest.fixture(scope="module", name="folder")
def folder_fixture(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module", name="direct")
def direct_fixture(folder):
    return Direct(folder)


@pytest.fixture(scope="module", name="machine")
def machine_fixture(folder, direct):
    source = HEAD + web_groups(VMS + UNTOUCHED).replace("internal", "uplink") + "};\n"
    with Machine(source, store=make_store(folder), mem=MEMORY, qemu=direct.qemu) as machine:
        machine.wait_until_serving()
        yield machine


@pytest.fixture(scope="module", name="statuses")
def statuses_fixture(machine):
    """What all say when they are asked for the first and for the second time."""
    return [machine.status_of_all(VMS) for _ in range(2)]


def test_more_vms_than_memory_holds_all_answer(machine, statuses):
    assert [status["instance"] for status in statuses[0]] == list(range(1, VMS + 1))
    assert requests(statuses[0]) == [1] * VMS
    assert gatekeeper(machine)["evictions"] > VMS / 2


def test_after_eviction_each_goes_on_where_it_was(machine, statuses):
    assert requests(statuses[1]) == [2] * VMS
    for before, after in zip(*statuses):
        for field in ["vm", "generation", "ipv4", "mac"]:
            assert after[field] == before[field]
        assert after["random"] != before["random"]
        assert after["virtual_ns"] > before["virtual_ns"]
    assert gatekeeper(machine)["wakes"] > VMS / 2


def test_what_was_read_and_dropped_is_counted(machine, statuses):
    gate = gatekeeper(machine)
    assert len(statuses) == 2
    assert gate["resident"] + gate["stored"] == VMS + 1
    assert gate["one_read_wakes"] >= gate["wakes"] * 0.95
    assert gate["parked"] >= gate["handed_over"] > 0
    assert gate["damaged"] == gate["foreign"] == gate["dropped_full"] == 0
    assert gate["waited_longest_us"] < 20_000_000
    counters = store(machine)
    assert counters["takes_records"] == 1
    assert counters["records"] >= gate["evictions"]
    assert counters["read_errors"] == counters["write_errors"] == 0


def test_a_vm_that_nobody_asked_has_no_record(folder, statuses):
    assert statuses
    stored = records(folder / "store.img")
    assert stored
    assert not [slot for slot in stored if slot >= WEB + VMS]


def test_footprint_adds_up_while_vms_are_out(machine, statuses):
    assert statuses
    said = machine.footprint()
    whole = said["machine"]
    assert whole.pop("ram_bytes") == sum(whole.values())
    assert said["images"]["web"]["count"] < VMS / 2
    web = said["images"]["web"]
    assert web["uss_bytes"]["median"] + web["stage2_bytes"]["median"] <= 32 * 1024


def count_on(connection):
    connection.request("GET", "/status.json")
    answer = connection.getresponse()
    assert answer.status == 200
    return json.loads(answer.read())["requests"]


def test_a_connection_to_a_sleeping_vm_works(machine, folder, direct, statuses):
    assert statuses
    ask_until_out(machine, folder / "store.img", 1, range(50, VMS + 1))
    connection = Connection("127.0.0.1", direct.port_of(1), timeout=60)
    assert count_on(connection) == 4
    connection.close()


def test_a_connection_survives_that_its_vm_leaves(machine, folder, direct, statuses):
    """A VM with a connection has timers and goes late: more others are asked at once than there is
    room for, until it has left."""
    assert statuses
    path, sectors = folder / "store.img", set()
    connection = Connection("127.0.0.1", direct.port_of(2), timeout=60)
    count = count_on(connection)  # its keep-alive ends after 8 s of silence (lwIP's httpd)
    for _ in range(20):
        machine.status_of_all(VMS // 2)
        sectors.add(sector_of(path, 2))
        count += 2
        assert count_on(connection) == count
        assert connection.sock, "it was closed"
        if len(sectors) > 1:
            break
    assert len(sectors) > 1, "it never left"
    connection.close()


# What comes back at the next boot.

@pytest.fixture(scope="module", name="three_boots")
def three_boots_fixture(tmp_path_factory):
    """What all say before a shutdown, after it, and after a power cut that follows."""
    path = make_store(tmp_path_factory.mktemp("boots"))
    said = []
    with web_machine(path) as machine:
        machine.wait_until_serving()
        said.append(machine.status_of_all(VMS))
        shut_down(machine)
    assert_sound(path)
    assert len(records(path)) == VMS + 1
    with web_machine(path) as machine:
        machine.wait_until_serving()
        machine.wait_for(rf"group web: {VMS} VMs are in the store")
        said.append(machine.status_of_all(VMS))
        assert "anew" not in machine.console()
        machine.cut_power()
    assert_sound(path)
    with web_machine(path) as machine:
        machine.wait_until_serving()
        said.append(machine.status_of_all(VMS))
        assert "anew" not in machine.console()
    return said


def test_a_shutdown_keeps_all(three_boots):
    assert requests(three_boots[0]) == [1] * VMS
    assert requests(three_boots[1]) == [2] * VMS


def test_after_a_power_cut_each_goes_on_from_its_last_record(three_boots):
    # The portal has left, too, perhaps with requests on their way, which it sends once more.
    counts = requests(three_boots[2])
    assert {2, 3} <= set(counts) <= {2, 3, 4}
    assert counts.count(4) <= THREADS
    assert requests(three_boots[2]).count(3) > VMS / 3, "what had left was on the store"


def test_after_a_boot_a_vm_knows_that_it_was_away(three_boots):
    for first, second, third in zip(*three_boots):
        assert len({first["generation"], second["generation"], third["generation"]}) == 3
        assert first["ipv4"] == second["ipv4"] == third["ipv4"]
        assert first["mac"] == second["mac"] == third["mac"]
        assert second["wall_ns"] > first["wall_ns"]
    generations = [status["generation"] for said in three_boots for status in said]
    assert len(set(generations)) == 3 * VMS


def test_recovery_restart_begins_anew_after_a_power_cut_only(tmp_path):
    count = 5
    source = HEAD + web_groups(count) + "};\n"
    source = source.replace('image = "httpd.elf";', 'image = "httpd.elf"; recovery = "restart";')
    path, said = make_store(tmp_path), []
    for end in [shut_down, shut_down, Machine.cut_power, Machine.cut_power]:
        with Machine(source, store=path, mem=MEMORY) as machine:
            machine.wait_until_serving()
            said.append(requests(machine.status_of_all(count)))
            end(machine)
        assert_sound(path)
    assert said == [[1] * count, [2] * count, [3] * count, [1] * count]


def test_a_new_store_is_sound_after_its_first_segments(tmp_path):
    """A log that runs over several segments at its first boot, and all of it at the next ones."""
    path = make_store(tmp_path, "--size", "10M", "--segment", "1M", "--vms", "512")
    for boot in range(2):
        with web_machine(path) as machine:
            machine.wait_until_serving()
            for i in range(4):
                assert requests(machine.status_of_all(VMS)) == [4 * boot + i + 1] * VMS
            assert store(machine)["checkpoints"] > 0
            shut_down(machine)
        assert_sound(path)


def lone_group(image, args, more=""):
    return HEAD + f"""
    lone {{
        compatible = "toklat,group";
        image = "{image}.elf";
        args = "{args}";
        start = "boot";
        {more}
    }};
}};
"""


@pytest.mark.parametrize("end", [shut_down, Machine.cut_power])
def test_a_dead_vm_stays_dead(tmp_path, end):
    path = make_store(tmp_path)
    with Machine(lone_group("hello", "exit=7"), store=path, mem=MEMORY) as machine:
        machine.wait_for(r"^\[lone/1\] exited with status 7")
        machine.wait_until(lambda: store(machine)["marks"] == 1)
        end(machine)
    assert listed(path)[1]["state"] == "dead"
    with Machine(lone_group("hello", "exit=7"), store=path, mem=MEMORY) as machine:
        machine.wait_for(r"VMs defined")
        shut_down(machine)
        assert "hello, I am" not in machine.console()


def test_a_supervisor_that_switches_off_ends_the_machine(tmp_path):
    """The guest begins three lives, the last of which it ends by SYSTEM_OFF."""
    path = make_store(tmp_path)
    with Machine(lone_group("clones", "reset", "supervisor;"), store=path, mem=MEMORY) as machine:
        machine.wait_for(r"shutdown: all VMs are written to the store")
        machine.wait_for(r"shutdown: done")
        assert machine.wait_for_end() == 0
    assert_sound(path)


def test_shutdown_without_a_store_says_what_is_lost():
    with Machine("dts/web.dts", vms=1, mem="32M") as machine:
        machine.wait_for(r"toklat: no store: VMs live in memory alone")
        machine.wait_until_serving()
        machine.send_key("Q")
        machine.wait_for(r"warning: shutdown: no store: what VMs have in memory is lost")
        assert machine.wait_for_end() == 0


GROWING = 40


def test_busy_vms_that_grow_take_turns_in_memory(tmp_path):
    """Together they touch more than there is, and none idles before it is done: who has been busy
    for long leaves for who needs a frame, and nobody ends."""
    grow = f"""grow {{ compatible = "toklat,group"; image = "clones.elf"; args = "grow";
        start = "boot"; instances = <{GROWING}>; }};\n"""
    with Machine(HEAD + grow + "};\n", mem=MEMORY, store=make_store(tmp_path)) as machine:
        machine.wait_until(lambda: machine.console().count("PASS grow") == GROWING, 120,
                           f"{GROWING} VMs have grown")
        assert "killed" not in machine.console() and "FAIL" not in machine.console()
        gate = gatekeeper(machine)
        assert gate["out_of_room"] and gate["evicted_busy"]
        shut_down(machine)


# What the boot arguments switch off.

@pytest.mark.parametrize("append", ["store=one-page", "idle=no-timeout", "events=synchronous"])
def test_ablation_serves_under_memory_pressure(tmp_path, append):
    path = make_store(tmp_path)
    with web_machine(path, append=append) as machine:
        machine.wait_until_serving()
        for count in (1, 2):
            assert requests(machine.status_of_all(VMS)) == [count] * VMS
        gate = gatekeeper(machine)
        assert gate["wakes"] > VMS / 2
        if append == "store=one-page":
            assert gate["wake_reads"] > 3 * gate["wakes"]
        else:
            assert gate["one_read_wakes"] > gate["wakes"] * 0.9
        shut_down(machine)
    assert_sound(path)
    with web_machine(path) as machine:
        machine.wait_until_serving()
        assert requests(machine.status_of_all(VMS)) == [3] * VMS
