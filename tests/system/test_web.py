# SPDX-License-Identifier: BSD-2-Clause
"""A thousand web servers, seen from outside: each answers, knows itself, and costs what it may."""

import pytest

from machine import Connection, Machine

VMS = 1000
PRIVATE_LIMIT = 32 * 1024  # bytes of a clone after its first request, tables included
DESCRIPTOR_LIMIT = 1024
PARTS = ["el2", "stubs", "shared", "private", "stage2", "descriptors", "free"]


@pytest.fixture(scope="module", name="machine")
def machine_fixture():
    with Machine("dts/web.dts", vms=VMS) as machine:
        machine.wait_until_serving()
        yield machine


@pytest.fixture(scope="module", name="statuses")
def statuses_fixture(machine):
    return machine.status_of_all(VMS)


def test_every_vm_answers_and_names_itself(statuses):
    assert [status["instance"] for status in statuses] == list(range(1, VMS + 1))
    assert len({status["vm"] for status in statuses}) == VMS


@pytest.mark.parametrize("field", ["random", "ipv4", "mac", "generation"])
def test_no_two_vms_share(statuses, field):
    values = [status[field] for status in statuses]
    assert all(values)
    assert len(set(values)) == VMS


def test_a_vm_answers_by_its_number_too(machine):
    status = machine.get_json("/vm/number/8/status.json")
    assert (status["vm"], status["instance"]) == (8, 7)


def test_page_of_one_vm(machine):
    status, body = machine.get("/vm/7/")
    assert status == 200
    assert b"<html" in body.lower()
    assert b"7" in body


def test_list_of_what_is_deployed(machine):
    status, body = machine.get("/")
    assert status == 200
    assert b"1000" in body.replace(b",", b"")


def test_requests_are_counted_by_the_vm_that_served_them(machine):
    before = machine.get_json("/vm/11/status.json")["requests"]
    machine.get_json("/vm/12/status.json")
    assert machine.get_json("/vm/11/status.json")["requests"] == before + 1


@pytest.mark.parametrize("path", ["/vm/0/", f"/vm/{VMS + 1}/", "/vm/x/", "/nothing",
                                  "/vm/7/nothing", "/vm/99999999999999999999/",
                                  "/vm/number/0/", "/vm/number/1048577/"])
def test_what_is_not_there(machine, path):
    assert machine.get(path)[0] == 404


def test_bad_requests_get_sound_answers(machine):
    assert machine.get("/vm/7/", method="DELETE")[0] == 405
    assert machine.get("/vm/7/" + "a" * 3000)[0] == 414
    assert machine.exchange(b"nonsense\r\n\r\n").split()[1] == b"400"
    assert machine.get_json("/vm/7/status.json")["instance"] == 7


def test_a_connection_is_kept_alive(machine):
    """Two requests on one connection through the portal, the second after the first's answer."""
    connection = Connection("127.0.0.1", machine.port, timeout=60)
    try:
        for _ in range(2):
            connection.request("GET", "/vm/8/status.json")
            answer = connection.getresponse()
            assert answer.status == 200
            assert b'"instance"' in answer.read()
            assert connection.sock is not None
    finally:
        connection.close()


def test_virtual_time_stands_still_while_descheduled(machine, statuses):
    """The VM is asked now and then: the wall's clock goes on meanwhile, its own does not."""
    assert statuses
    before = machine.get_json("/vm/21/status.json")

    def most_of_the_time():
        machine.get_json("/vm/22/status.json")
        after = machine.get_json("/vm/21/status.json")
        wall = after["wall_ns"] - before["wall_ns"]
        virtual = after["virtual_ns"] - before["virtual_ns"]
        assert 0 < virtual < wall
        return wall > 2_500_000_000 and virtual < wall / 10
    machine.wait_until(most_of_the_time)


def test_footprint_adds_up(machine, statuses):
    assert statuses
    footprint = machine.footprint()
    whole = footprint["machine"]
    assert sum(whole[f"{part}_bytes"] for part in PARTS) == whole["ram_bytes"]
    # The machine's RAM is what QEMU was given, but for what the device tree sets aside.
    assert 0.99 * 2**30 < whole["ram_bytes"] <= 2**30
    assert sum(image["count"] for image in footprint["images"].values()) >= VMS + 1


def test_a_clone_is_small(machine, statuses):
    assert statuses
    web = next(i for i in machine.footprint()["images"].values() if i["count"] == VMS)
    assert web["uss_bytes"]["max"] + web["stage2_bytes"]["max"] <= PRIVATE_LIMIT
    assert web["descriptor_bytes"]["max"] <= DESCRIPTOR_LIMIT
    for kind in ("uss", "pss", "rss", "stage2", "descriptor"):
        figures = web[f"{kind}_bytes"]
        assert figures["min"] <= figures["median"] <= figures["max"]


def test_vms_own_account_agrees(statuses):
    """What a VM says of itself is within the same budget."""
    for status in statuses:
        assert status["private_bytes"] + status["stage2_bytes"] <= PRIVATE_LIMIT
        assert status["descriptor_bytes"] <= DESCRIPTOR_LIMIT
        assert status["shared_bytes"] > 0


def test_help_key_lists_the_keys(machine):
    start = machine.send_key("h")
    machine.wait_for(r"footprint", 60, start)
    machine.wait_for(r"run queue", 60, start)


@pytest.mark.parametrize("key", list("hcdfmrv?\x00\xffz"))
def test_no_key_hurts(machine, key):
    machine.send_key(key)
    assert machine.get_json("/vm/3/status.json")["instance"] == 3


SILENT = """/dts-v1/;
/ {
    compatible = "toklat,deployment-v1";
    portal { compatible = "toklat,group"; image = "portal.elf"; network = "uplink";
             peers = <&silent>; start = "boot"; };
    silent: silent { compatible = "toklat,group"; image = "hello.elf"; network = "internal";
                     start = "boot"; };
};
"""


def test_the_portal_tries_more_than_once_to_reach_a_vm():
    """hello has no network: EL2 drops what comes for it, and counts each attempt."""
    with Machine(SILENT) as silent:
        silent.wait_until_serving("/")
        before = 0

        def tried():
            nonlocal before
            status, body = silent.get("/vm/1/")
            assert status == 504 and b"did not accept the connection" in body
            start = silent.send_key("v")
            after = int(silent.wait_for(r"silent/1 .* dropped (\d+)", start=start).group(1))
            before, more = after, after - before
            return more >= 3
        silent.wait_until(tried, 120, "three attempts for one request")
