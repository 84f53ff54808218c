# SPDX-License-Identifier: BSD-2-Clause
"""The supervisor's API under clients that are many, slow, rude or gone, and at 100,000 VMs; what
each operation answers is looked at in test_api_yaml.py."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time

import pytest

from api_client import Client, events
from machine import ROOT, Machine

pytestmark = pytest.mark.own_machine

VMS = 100000
CONNECTIONS = 32
USS_MAX = 512 * 1024
HELLO = "build/guests/hello.elf"


@pytest.fixture(scope="module", name="client")
def client_fixture():
    with Machine("dts/web.dts", vms=VMS, defines={"RESERVE": 20000, "SPARE": 100},
                 api=True) as machine:
        client = Client(machine)
        client.wait_until_up()
        client.wait_until_ready("web")
        yield client


@pytest.fixture(autouse=True)
def supervisor_stays_small(client):
    yield
    settle(client)
    assert client.supervisor()["uss_bytes"] <= USS_MAX


def connections(client):
    """How many there are, the one that asks included."""
    text = client.ask("GET", "/metrics")[2].decode()
    return int(re.search(r"^toklat_api_connections (\d+)$", text, re.M).group(1))


def settle(client, count=1):
    client.machine.wait_until(lambda: connections(client) <= count, 30, "connections end")


def read_answer(link):
    """(status, body) of an answer with a Content-Length; (None, b"") at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = link.recv(65536)
        if not chunk:
            return None, data
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.search(rb"content-length: (\d+)", head, re.I).group(1))
    while len(body) < length:
        body += link.recv(65536)
    return int(head.split(b" ", 2)[1]), body


# Scale.

def test_all_vms_in_one_answer(client):
    status, headers, body = client.ask("GET", f"/v1/vms?limit={VMS}&fields=list", timeout=60)
    listed = json.loads(body)
    assert status == 200 and headers["Transfer-Encoding"] == "chunked"
    assert [vm["number"] for vm in listed["vms"]] == list(range(1, VMS + 1))
    assert listed["next"] == VMS


def test_ten_thousand_vms_in_one_call(client):
    made = client.create(count=10000)
    assert len(made) == len(set(made)) == 10000
    web = client.get("/v1/images/web")
    assert web["vms"]["live"] + web["vms"]["defined"] == VMS + 10000
    figures = next(i for i in client.get("/v1/footprint")["images"] if i["image"] == "web")
    assert figures["live"] == 10000
    answer = client.ask("DELETE", f"/v1/vms?numbers={made[0]}-{made[-1]}", timeout=60)
    assert json.loads(answer[2]) == {"deleted": 10000, "not_found": 0}
    assert client.get("/v1/images/web")["vms"]["live"] == 0


# Many requests, and many clients.

def test_requests_that_come_at_once_are_answered_in_turn(client):
    rest = f"HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n\r\n"
    requests = [f"GET /v1/vms/{n} {rest}" for n in range(1, 41)]
    with client.connect() as link:
        link.sendall("".join(requests[:20]).encode())
        data = b""
        while data.count(b'"number":') < 20:
            data += link.recv(65536)
        numbers = [int(n) for n in re.findall(rb'"number":(\d+)', data)]
        assert numbers == list(range(1, 21))
        for n, request in enumerate(requests[20:], 21):
            link.sendall(request.encode())
            status, body = read_answer(link)
            assert status == 200 and json.loads(body)["number"] == n


def test_connections_that_say_nothing_make_room(client):
    with contextlib.ExitStack() as stack:
        for _ in range(3 * CONNECTIONS):
            stack.enter_context(client.connect())
            assert client.ask("GET", "/v1/health", timeout=20)[0] == 200
        assert connections(client) <= CONNECTIONS + 2


@pytest.mark.skipif(not os.access("/dev/net/tun", os.W_OK), reason="no /dev/net/tun")
def test_half_open_connections_make_room(client):
    """Of a machine of its own, as only packets that nobody's TCP sends can make them."""
    flood = [ROOT / "tools/in-namespace", sys.executable, ROOT / "tests/system/syn_flood.py"]
    done = subprocess.run(flood, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["answered"] == 20, done.stdout
    assert client.ask("GET", "/v1/health")[0] == 200


def test_a_head_has_five_seconds(client):
    with client.connect() as link:
        link.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n")
        begun = time.monotonic()
        link.settimeout(0.3)
        status = None
        while time.monotonic() - begun < 60:  # a byte now and then does not help
            with contextlib.suppress(OSError):
                link.sendall(b"a")
            try:
                data = link.recv(65536)
                status = int(data.split(b" ", 2)[1]) if data else status
                break
            except TimeoutError:
                continue
        assert status == 408
        assert time.monotonic() - begun > 4


def test_a_body_has_to_go_on(client):
    head = client.head("POST /v1/vms HTTP/1.1", "Content-Length: 100")
    with client.connect(15) as link:
        link.sendall(head + b'{"image"')
        begun = time.monotonic()
        assert read_answer(link)[0] == 408
        assert time.monotonic() - begun > 4


def test_who_reads_nothing_is_cut(client):
    with contextlib.ExitStack() as stack:
        for _ in range(8):
            link = stack.enter_context(socket.socket())
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            link.connect((client.host, client.port))
            link.sendall(client.head(f"GET /v1/vms?limit={VMS} HTTP/1.1"))
        client.machine.wait_until(lambda: connections(client) >= 9, what="slow readers")
        assert len(client.get("/v1/vms?limit=1000&fields=list")["vms"]) == 1000
        settle(client)


def test_what_was_begun_is_brought_to_an_end(client):
    """A client that goes away in the middle of a creation finds all of it later, by its key."""
    before = client.get("/v1/images/web")["vms"]["defined"]
    body = json.dumps({"image": "web", "count": 5000}).encode()
    head = client.head("POST /v1/vms HTTP/1.1", "Idempotency-Key: gone",
                       "Content-Type: application/json", f"Content-Length: {len(body)}")
    with client.connect() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        link.sendall(head + body)
    client.machine.wait_until(
        lambda: client.get("/v1/images/web")["vms"]["defined"] == before + 5000, what="creation")
    status, _, answer = client.ask("POST", "/v1/vms", body,
                                   {"Idempotency-Key": "gone", "Content-Type": "application/json"})
    made = json.loads(answer)
    assert status == 201 and made["count"] == 5000
    assert client.get("/v1/images/web")["vms"]["defined"] == before + 5000
    numbers = ",".join(f"{first}-{last}" for first, last in made["numbers"])
    client.ask("DELETE", f"/v1/vms?numbers={numbers}")


def test_streams_take_all_connections_and_give_them_back(client):
    with contextlib.ExitStack() as stack, contextlib.ExitStack() as last:
        streams = [stack.enter_context(client.open("GET", "/v1/events"))
                   for _ in range(CONNECTIONS - 1)]
        last.enter_context(client.open("GET", "/v1/events"))
        status, headers, _ = client.ask("GET", "/v1/version")
        assert status == 503 and headers["Retry-After"]
        # One ends: there is room again, and a VM that is made then is told to all others.
        last.close()
        number, = client.machine.wait_until(lambda: made_one(client), 20, "room for a request")
        for stream in streams:
            assert any(kind == "vm" and data["number"] == number for kind, data in events(stream))
    client.machine.wait_until(lambda: client.ask("GET", "/v1/version")[0] == 200, 20, "room")


def made_one(client):
    status, _, body = client.ask("POST", "/v1/vms", {"image": "web", "count": 1})
    return json.loads(body)["numbers"][0][:1] if status == 201 else None


def test_a_large_body_is_asked_for(client):
    """As curl does it: Expect: 100-continue, and nothing sent before the answer to that."""
    with open(HELLO, "rb") as file:
        elf = file.read()
    head = client.head("POST /v1/images?name=expected&reserve=1 HTTP/1.1",
                       f"Content-Length: {len(elf)}", "Expect: 100-continue")
    with client.connect() as link:
        link.sendall(head)
        assert link.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        link.sendall(elf)
        status, body = read_answer(link)
        assert status == 201, body
    client.wait_until_ready("expected")
    assert client.ask("DELETE", "/v1/images/expected")[0] == 204
    refused = head.replace(b"name=expected", b"name=web")
    with client.connect() as link:
        link.sendall(refused)
        assert read_answer(link)[0] == 409


def test_an_upload_that_breaks_off_is_forgotten(client):
    free = client.get("/v1/machine")["memory"]["free_bytes"]
    head = client.head("POST /v1/images?name=half&reserve=1 HTTP/1.1", "Content-Length: 2000000")
    with client.connect() as link:
        link.sendall(head + bytes(10000))
        client.machine.wait_until(
            lambda: client.get("/v1/machine")["memory"]["free_bytes"] < free - 1000000,
            what="memory for it")
        assert client.upload("other", b"x")[0] == 503
    client.machine.wait_until(
        lambda: client.get("/v1/machine")["memory"]["free_bytes"] > free - 200000,
        what="its memory is free")
    assert client.upload("other", b"x")[0] == 422


def test_a_console_is_followed(client):
    with open(HELLO, "rb") as file:
        assert client.upload("hello", file.read())[0] == 201
    client.wait_until_ready("hello")
    first, second = client.create("hello", 2, start=False)
    with client.open("GET", f"/v1/vms/{second}/console?follow=1") as stream:
        assert client.ask("POST", f"/v1/vms/{first}/start")[0] == 200
        assert client.ask("POST", f"/v1/vms/{second}/start")[0] == 200
        line = stream.readline().decode()
        assert "2" in line or "hello" in line.lower(), line
    lines = client.ask("GET", f"/v1/vms/{second}/console")[2]
    assert lines.decode().startswith(line)
    assert client.ask("DELETE", f"/v1/vms?numbers={first}-{second}")[0] == 200
    assert client.ask("DELETE", "/v1/images/hello")[0] == 204


def test_nothing_leaks_over_many_requests(client):
    """10,000 requests of all kinds; the supervisor is then no larger than it was after 1,000."""
    paths = ["/v1/vms/2", "/v1/machine", "/v1/vms?limit=0", "/nothing", "/v1/images", "/v1/vms/0",
             "/v1/vms?image=portal&sort=uss", "/v1/vms?limit=50", "/v1/images/none", "/v1/version"]

    def many(count):
        requests = "".join(f"GET {paths[i % 10]} HTTP/1.1\r\nHost: x\r\n"
                           f"Authorization: Bearer {client.token}\r\n\r\n" for i in range(10))
        with client.connect() as link:
            for _ in range(count // 10):
                link.sendall(requests.encode())
                answers = b""
                while answers.count(b"HTTP/1.1 ") < 10 or not answers.endswith(b'api":"v1"}\n'):
                    chunk = link.recv(65536)
                    assert chunk
                    answers += chunk
        settle(client)
        return client.supervisor()["uss_bytes"]

    small = many(1000)
    assert many(9000) <= small + 16384
