# SPDX-License-Identifier: BSD-2-Clause
"""What is wrong, slow or hostile, sent to the API of a running machine: each is refused as
documented, others are served meanwhile, and nothing of it stays in the supervisor's memory. A VM
cannot come to the API at all.

TOKLAT_HAMMER says how many requests the last test sends; a long run is TOKLAT_HAMMER=100000."""

import contextlib
import json
import os
import random
import re
import socket
import struct
import subprocess
import time

import pytest

from api_client import Client
from api_document import PROBLEM, Document
from bad_requests import ASKED, raw_requests
from machine import ROOT, Machine

pytestmark = pytest.mark.own_machine

VMS = 20
HELLO = ROOT / "build/guests/hello.elf"
INTRUDER = ROOT / "build/guests/intruder.elf"
HAMMER = int(os.environ.get("TOKLAT_HAMMER", "3000"))
SLOW = 24        # connections that are slow; of 32
HALF_OPEN = 300  # connections that say nothing
GUESSES = 200    # requests with a wrong token, at once
ELF_HEADER = 64
PROGRAM_HEADER = 56
FIRST_WEB = "10.64.0.3"  # behind the supervisor and the portal
SUPERVISOR = "10.64.0.1"
GATEWAY = "10.0.0.2"


@pytest.fixture(scope="module", name="document")
def document_fixture():
    return Document()


@pytest.fixture(scope="module", name="client")
def client_fixture():
    with Machine("dts/web.dts", vms=VMS, mem="256M", defines={"RESERVE": 100, "SPARE": 500},
                 api=True) as machine:
        client = Client(machine)
        machine.wait_for_api()
        yield client


def check_problem(answer, document, status, field=None):
    """That it is a problem document of this status, which names field, value and limit."""
    headers = {name.lower(): value for name, value in answer[1].items()}
    assert answer[0] == status, answer
    assert headers["content-type"] == PROBLEM
    problem = json.loads(answer[2])
    document.check("Problem", problem)
    assert problem["status"] == status and problem["title"] and problem["detail"]
    if field:
        assert problem["field"] == field and problem["limit"] and "value" in problem, problem
    return headers, problem


# What is asked.

def test_wrong_requests_are_refused(client, document):
    wrong = []
    for method, path, body, headers, status, field in ASKED:
        answer = client.ask(method, path, body, headers)
        try:
            sent, _ = check_problem(answer, document, status, field)
            assert status != 405 or sent["allow"]
        except (AssertionError, KeyError, ValueError) as problem:
            wrong.append(f"{method} {path[:60]} {(body or b'')[:40]!r}: {str(problem)[:300]}")
    assert not wrong, "\n".join(wrong)


def test_unsound_http_is_refused(client):
    wrong = []
    for name, (data, status) in raw_requests(client.head).items():
        found = client.raw_status(data)
        if found != status:
            wrong.append(f"{name}: {found}, not {status}")
    assert not wrong, "\n".join(wrong)


def test_a_request_may_come_in_any_pieces(client):
    head = client.head("GET /v1/version HTTP/1.1")
    with client.connect() as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in head:
            link.sendall(bytes([byte]))
        assert link.recv(12) == b"HTTP/1.1 200"
    kept = head.replace(b"Connection: close\r\n", b"")
    assert client.raw(kept + kept + head).count(b'"api":"v1"') == 3


def test_keys_make_creation_happen_once(client, document):
    key = {"Idempotency-Key": "web-of-today"}
    first = client.ask("POST", "/v1/vms", {"image": "web", "count": 2}, key)
    assert first[0] == 201
    again = client.ask("POST", "/v1/vms", {"image": "web", "count": 2}, key)
    assert (again[0], again[2]) == (first[0], first[2])
    other = client.ask("POST", "/v1/vms", {"image": "web", "count": 3}, key)
    check_problem(other, document, 422, "Idempotency-Key")
    free = client.ask("POST", "/v1/vms", {"image": "web", "count": 2}, {"Idempotency-Key": "b"})
    assert json.loads(free[2])["numbers"] != json.loads(first[2])["numbers"]


def test_wrong_tokens(client, document):
    almost = client.token[:-1] + chr(ord(client.token[-1]) ^ 1)
    for value in (None, "", "Bearer", "Bearer ", "Bearer x", f"Bearer {almost}", client.token,
                  f"Basic {client.token}", f"Bearer {client.token}0",
                  f"Bearer {client.token[:-1]}"):
        for path in ("/v1/machine", "/metrics", "/v1/nothing", "/v1/vms/1/console"):
            answer = client.ask("GET", path, headers={"Authorization": value})
            if answer[0] != 429:
                headers, _ = check_problem(answer, document, 401)
                assert headers["www-authenticate"].startswith("Bearer")
    health = client.ask("GET", "/v1/health", headers={"Authorization": "Bearer x"})
    assert health[0] == 200


def test_guessing_tokens_is_slowed_down(client, document):
    """And who has the token does not notice."""
    guess = client.head("GET /v1/machine HTTP/1.1", "Authorization: Bearer x", token=False)
    kept = guess.replace(b"Connection: close\r\n", b"")

    def refused():
        said = client.raw(kept * (GUESSES - 1) + guess, timeout=30)
        statuses = re.findall(rb"HTTP/1\.1 (\d+) ", said)
        assert len(statuses) == GUESSES and b"429" in statuses
        assert set(statuses) <= {b"401", b"429"}
        answer = client.ask("GET", "/v1/machine", headers={"Authorization": "Bearer x"})
        return answer if answer[0] == 429 else None
    headers, _ = check_problem(client.machine.wait_until(refused, 60, "429"), document, 429)
    assert int(headers["retry-after"]) >= 1
    assert client.get("/v1/version")["api"] == "v1"
    client.machine.wait_until(
        lambda: client.ask("GET", "/v1/machine", headers={"Authorization": None})[0] == 401,
        60, "401 again")


# Who is slow.

def test_slow_clients_do_not_stop_others(client):
    """They send a byte now and then, and are told so in the end; others are served meanwhile."""
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(client.connect_and_wait()) for _ in range(SLOW)]
        ended, begun = {}, time.monotonic()
        while len(ended) < SLOW and time.monotonic() - begun < 60:
            for index, link in enumerate(links):
                if index not in ended:
                    ended.update(trickle(index, link))
                assert client.ask("GET", "/v1/health")[0] == 200
        assert len(ended) == SLOW
        assert set(ended.values()) <= {b"HTTP/1.1 408", b""} and b"HTTP/1.1 408" in ended.values()
        assert time.monotonic() - begun > 3


def trickle(index, link):
    """Sends a byte of a head that never ends; {index: answer} once there is one."""
    link.setblocking(False)
    try:
        link.send(b"G")
        return {index: link.recv(12)}
    except BlockingIOError:
        return {}
    except ConnectionError:
        return {index: b""}


def test_a_body_that_does_not_come(client):
    head = client.head("POST /v1/vms HTTP/1.1", "Content-Length: 100")
    assert client.raw_status(head + b'{"image":') == 408


def test_half_open_connections_do_not_stop_others(client):
    with contextlib.ExitStack() as stack:
        for index in range(HALF_OPEN):
            link = stack.enter_context(client.connect_and_wait())
            if index % 2:
                with contextlib.suppress(ConnectionError):
                    link.sendall(b"GET /v1/he")
        assert client.get("/v1/machine")["api"]["requests"] > 0
    assert client.ask("GET", "/v1/health")[0] == 200


def test_clients_that_vanish(client):
    """In the middle of a head, of a body, and of an answer."""
    reset = struct.pack("ii", 1, 0)
    upload = client.head("POST /v1/images?name=gone&reserve=1 HTTP/1.1", "Content-Length: 100000")
    for data in (b"GET", client.head("GET /v1/vms HTTP/1.1"), upload + bytes(5000)) * 20:
        with client.connect_and_wait() as link:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            link.sendall(data)
    assert client.ask("GET", "/v1/images/gone")[0] == 404
    # Nobody holds what an upload needs.
    answer = client.machine.wait_until(
        lambda: (a := client.upload("kept", HELLO.read_bytes()))[0] == 201 and a, 20, "an upload")
    assert json.loads(answer[2])["name"] == "kept"


# Files that are no sound images.

def delete_image(client, name):
    client.machine.wait_until(
        lambda: client.ask("DELETE", f"/v1/images/{name}")[0] == 204, 20, f"{name} deleted")


def test_files_that_are_mutated(client, document):
    """Each byte of the headers in turn, and some of the rest. What is taken is deleted again."""
    dice = random.Random(1)
    file = HELLO.read_bytes()
    headers = ELF_HEADER + PROGRAM_HEADER * struct.unpack_from("<H", file, 56)[0]
    places = [*range(headers), *dice.sample(range(headers, len(file)), 20)]
    taken = refused = 0
    for place in places:
        mutant = bytearray(file)
        mutant[place] ^= dice.randrange(1, 256)
        answer = client.upload("mutant", bytes(mutant), reserve=1)
        if answer[0] == 201:
            taken += 1
            delete_image(client, "mutant")
        else:
            _, problem = check_problem(answer, document, 422)
            assert {"field", "value", "limit"} <= problem.keys(), (place, problem)
            assert re.match(r"\d", problem["value"]) and re.match(r"\d", problem["limit"]), problem
            refused += 1
    assert refused > 50 and taken > 0
    for length in (0, 1, 63, 64, headers - 1, headers, len(file) // 2, len(file) - 1):
        answer = client.upload("cut", file[:length], reserve=1)
        if answer[0] == 201: # only symbols, or nothing that is loaded, is missing
            delete_image(client, "cut")
        else:
            assert answer[0] in (400, 422), answer


# Who must not come in.

def test_a_vm_cannot_reach_the_api(client):
    """A VM that may talk to outside tries the supervisor's address by three ways, and the port by
    which the outside comes to the API. It does reach another VM."""
    tries = [f"{SUPERVISOR}:80/direct", f"{SUPERVISOR}:80/arp", f"{SUPERVISOR}:80/gateway",
             f"{GATEWAY}:{client.port}/arp", f"{FIRST_WEB}:80/direct"]
    answer = client.upload("intruder", INTRUDER.read_bytes(), reserve=1, network="uplink",
                           args=" ".join(tries))
    assert answer[0] == 201, answer
    client.wait_until_ready("intruder")
    client.create("intruder")
    client.machine.wait_for(r"^\[intruder/1\] done", 30)
    said = dict(re.findall(r"^\[intruder/1\] (\S+): (.*)$", client.machine.console(), re.M))
    assert said.pop(tries.pop()) == "CONNECTED"
    assert said.keys() == set(tries)
    assert "CONNECTED" not in said.values(), said


# What stays.

def test_nothing_stays_in_the_supervisors_memory(client):
    hammer = [ROOT / "tools/hammer-api", "--url", client.machine.api_url, "--token", client.token,
              "--requests", str(HAMMER)]
    done = subprocess.run(hammer, capture_output=True, text=True, timeout=60 + HAMMER / 20,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert client.supervisor()["state"] == "running"
    assert client.supervisor()["uss_bytes"] <= 512 * 1024
    assert not re.search(r"\[supervisor/1\] (?:killed|exited)", client.machine.console())
