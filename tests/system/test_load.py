# SPDX-License-Identifier: BSD-2-Clause
"""The load generator (tests/bench) against small servers on 127.0.0.1 that misbehave on demand."""

import json
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from machine import ROOT, free_port

pytestmark = pytest.mark.own_machine

LOAD = ROOT / "build/bench/load"


class Handler(BaseHTTPRequestHandler):
    """The path says what happens."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):  # pylint: disable=invalid-name
        name = self.path.rsplit("/", 1)[-1]
        self.server.paths.append(self.path)
        if name == "silent":
            time.sleep(1)
        if name in ("silent", "closed"):
            self.close_connection = True
            return
        if name == "nonsense":
            self.wfile.write(b"220 smtp.example\r\n\r\n")
            return
        number = int(self.path.split("/")[2]) if self.path.startswith("/vm/") else 1
        key = "instance" if self.path.startswith("/vm/") else "vm"
        body = json.dumps({key: number}).encode()
        self.send_response(503 if name == "unavailable" else 200)
        self.send_header("Content-Length", str(len(body) + (5 if name == "cut" else 0)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = name == "cut"

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@pytest.fixture(name="server")
def server_fixture():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.paths = []
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(tmp_path, port, *arguments, status=0):
    """What the load generator reports of VM 1, which is 127.0.0.1."""
    out = tmp_path / "load.json"
    command = [LOAD, "--base", "127.0.0.0", "--port", port, "--json", out, *arguments]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == status, done.stderr
    report = json.loads(out.read_text())
    assert sum(report["outcomes"].values()) == report["requests"]
    assert str(report["outcomes"]["answered"]) in done.stdout
    return report


def test_closed_loop(tmp_path, server):
    port = server.server_address[1]
    report = run(tmp_path, port, "--closed", 3, "--requests", 50, "--check-instance")
    assert report["outcomes"]["answered"] == report["requests"] == 50
    assert report["open_peak"] == 3
    latency = report["latency_us"]
    assert latency["count"] == 50
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
    assert set(server.paths) == {"/status.json"}


def test_open_loop_keeps_its_rate(tmp_path, server):
    port = server.server_address[1]
    report = run(tmp_path, port, "--rate", 100, "--constant", "--seconds", 1)
    assert report["outcomes"]["answered"] == report["requests"] == 99
    assert 0.9 < report["seconds"] < 2


def test_latency_counts_from_when_a_request_was_due(tmp_path, server):
    """One connection at a time and a first answer that never comes: all that were due meanwhile
    waited, and it shows."""
    port = server.server_address[1]
    report = run(tmp_path, port, "--rate", 50_000, "--requests", 2000,
                 "--open-max", 1, "--path", "/silent", "--timeout", 0.5, status=1)
    assert report["outcomes"]["timed_out"] + report["outcomes"]["unsent"] == 2000
    assert report["outcomes"]["unsent"] > 0
    assert report["open_peak"] == 1
    assert report["latency_us"]["p50"] >= 500_000


def test_a_stall_is_seen_by_all_that_it_hit(tmp_path):
    """A server that listens but accepts nobody for a second."""
    port = free_port()
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.paths = []
    timer = threading.Timer(1, server.serve_forever, (0.01,))
    timer.start()
    try:
        report = run(tmp_path, port, "--rate", 100, "--constant", "--seconds", 2,
                     "--open-max", 1)
    finally:
        timer.join(0.1)
        server.shutdown()
        server.server_close()
    assert report["outcomes"]["answered"] == report["requests"] == 199
    assert report["latency_us"]["p90"] > 500_000


@pytest.mark.parametrize("path,kind", [
    ("/unavailable", "bad_status"), ("/nonsense", "malformed"), ("/closed", "reset"),
    ("/cut", "reset"), ("/silent", "timed_out"),
])
def test_failures_by_kind(tmp_path, server, path, kind):
    port = server.server_address[1]
    report = run(tmp_path, port, "--closed", 2, "--requests", 4, "--timeout", 0.5,
                 "--path", path, status=1)
    assert report["outcomes"] == {k: 4 if k == kind else 0 for k in report["outcomes"]}


def test_touch_asks_each_and_counts_who_refused(tmp_path, server):
    """VM 1 is 127.0.0.1; nobody listens on 127.0.0.2 and 127.0.0.3."""
    port = server.server_address[1]
    report = run(tmp_path, port, "--touch", "1-3")
    assert report["outcomes"]["answered"] == 1
    assert report["outcomes"]["refused"] == 2


def test_another_vm_than_was_asked(tmp_path, server):
    port = server.server_address[1]
    report = run(tmp_path, port, "--base", "126.255.255.255", "--vms", "2-2", "--closed", 1,
                 "--requests", 2, "--check-instance", status=1)
    assert report["outcomes"]["wrong_vm"] == 2


def test_via_a_portal(tmp_path, server):
    port = server.server_address[1]
    report = run(tmp_path, port, "--via", "127.0.0.1", "--touch", "5-9", "--closed", 1,
                 "--check-instance")
    assert report["outcomes"]["answered"] == 5
    assert server.paths == [f"/vm/{n}/status.json" for n in range(5, 10)]


@pytest.mark.parametrize("arguments,named", [
    ([], "--rate"), (["--rate", "5"], "--seconds"), (["--rate", "0", "--seconds", "1"], "--rate"),
    (["--closed", "1.5", "--seconds", "1"], "whole"), (["--touch", "9-3"], "FIRST-LAST"),
    (["--touch", "0-3"], "FIRST-LAST"), (["--via", "nowhere", "--touch", "1-1"], "IPv4"),
    (["--path", "x", "--touch", "1-1"], "--path"), (["--touch", "1-1", "more"], "more"),
    (["--rate", "5", "--closed", "1", "--seconds", "1"], "--closed"), (["--what"], "what"),
    (["--touch", "1-1", "--open-max", "999999"], "RLIMIT_NOFILE"),
])
def test_wrong_options_are_named(arguments, named):
    done = subprocess.run([LOAD, *arguments], capture_output=True, text=True, timeout=10,
                          check=False)
    assert done.returncode == 2
    assert named in done.stderr


def test_help():
    done = subprocess.run([LOAD, "--help"], capture_output=True, text=True, timeout=10, check=True)
    assert "--check-instance" in done.stdout
