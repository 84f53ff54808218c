# SPDX-License-Identifier: BSD-2-Clause
"""toklat-slip alone, in a namespace; its peer is this file, at the other end of a socket or pty."""

import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
import tty

import pytest

pytestmark = pytest.mark.own_machine

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / "build/toklat-slip"
NAMESPACE = ROOT / "tools/slip-namespace"
END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
VM, HOST = "10.64.0.1", "10.0.0.2"
SECONDS = 60

# In the namespace: sends the datagrams that come on stdin, a line each, to the VM, and prints what
# is answered. "?" instead of an answer that does not come within argv[1] seconds.
TALK = f"""
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("{HOST}", 7777))
s.settimeout(float(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    s.sendto(bytes.fromhex(line), ("{VM}", 7))
    try:
        while (answer := s.recv(2000).hex()) != line.strip():
            print("late", flush=True)
        print(answer, flush=True)
    except TimeoutError:
        print("?", flush=True)
"""


def namespace_missing():
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened"
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "unshare (util-linux) and ip (iproute2) are needed"
    command = ["unshare", "--user", "--map-root-user", "--net", "--", "ip", "link"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else None


MISSING = namespace_missing()
needs_namespace = pytest.mark.skipif(bool(MISSING), reason=f"no namespace: {MISSING}")


def encode(packet):
    inside = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + inside + b"\xc0"


def decode(frame):
    return frame.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def echo(packet):
    """The UDP datagram in `packet`, sent back; its checksum does not change."""
    head = bytearray(packet[:20])
    head[12:16], head[16:20] = packet[16:20], packet[12:16]
    head[10:12] = b"\0\0"
    head[10:12] = struct.pack("!H", checksum(bytes(head)))
    return bytes(head) + packet[22:24] + packet[20:22] + packet[24:]


def is_udp_to_vm(packet):
    return len(packet) > 28 and packet[9] == 17 and packet[16:20] == socket.inet_aton(VM)


class Peer:
    """The other end of the line: answers each datagram, on a line that may lose bytes."""

    def __init__(self, read, write, damage=None):
        self.read, self.write = read, write
        self.damage = damage or (lambda data: data)
        self.buffer = b""

    def serve(self):
        """Answers what has come."""
        data = self.damage(self.read())
        self.buffer += data
        *frames, self.buffer = self.buffer.split(b"\xc0")
        for frame in map(decode, frames):
            if is_udp_to_vm(frame) and checksum(frame[:20]) == 0:
                self.write(self.damage(encode(echo(frame))))


class Bridge:
    """toklat-slip in its namespace, with a program that talks to the VM."""

    def __init__(self, line, *options, patience=SECONDS):
        self.process = subprocess.Popen(
            [NAMESPACE, "--stats", *options, line, "--", sys.executable, "-c", TALK,
             str(patience)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        self.said = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(SECONDS)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def line(self, peer, fd):
        """The next line that the program says; the peer answers meanwhile."""
        deadline = time.monotonic() + SECONDS
        while b"\n" not in self.said:
            assert time.monotonic() < deadline, f"nothing said within {SECONDS} s"
            ready, _, _ = select.select([self.process.stdout, fd], [], [], 1)
            if fd in ready:
                peer.serve()
            if self.process.stdout in ready:
                self.said += os.read(self.process.stdout.fileno(), 65536)
        line, self.said = self.said.split(b"\n", 1)
        return line.decode()

    def ask(self, text, peer, fd):
        """Sends a datagram; what comes back, or "?"."""
        self.process.stdin.write(text.hex().encode() + b"\n")
        self.process.stdin.flush()
        while (answer := self.line(peer, fd)) == "late":
            pass
        return answer

    def end(self):
        """(exit status, what was said on stderr)"""
        self.process.stdin.close()
        status = self.process.wait(SECONDS)
        return status, self.process.stderr.read().decode()


def listener(path):
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(1)
    server.settimeout(SECONDS)
    return server


def peer_of(connection, damage=None):
    return Peer(lambda: connection.recv(4096), connection.sendall, damage)


def statistics(text):
    found = re.search(r"in: (\d+) packets, \d+ bytes, (\d+) refused; out: (\d+) packets", text)
    assert found, text
    return [int(n) for n in found.groups()]


PAYLOADS = [b"hello", b"\xc0\xdb\xdc\xdd" * 40, bytes(range(256)), b"\xc0" * 1472]


@needs_namespace
@pytest.mark.parametrize("options", [[], ["--tap"]], ids=["tun", "tap"])
def test_there_and_back(tmp_path, options):
    line = f"unix:{tmp_path}/line"
    with listener(tmp_path / "line") as server, Bridge(line, *options) as bridge:
        connection, _ = server.accept()
        with connection:
            peer = peer_of(connection)
            assert bridge.line(peer, connection) == "ready"
            for payload in PAYLOADS:
                assert bridge.ask(payload, peer, connection) == payload.hex()
            status, said = bridge.end()
    assert status == 0
    received, refused, _ = statistics(said)
    assert (received, refused) == (len(PAYLOADS), 0)


@needs_namespace
def test_line_goes_away_and_comes_back(tmp_path):
    with listener(tmp_path / "line") as server, Bridge(f"unix:{tmp_path}/line") as bridge:
        for turn in range(3):
            connection, _ = server.accept()
            with connection:
                peer = peer_of(connection)
                peer.write = lambda data, to=connection: to.sendall(data[1:])  # END is after it
                if turn == 0:
                    assert bridge.line(peer, connection) == "ready"
                assert bridge.ask(b"turn %d" % turn, peer, connection) == (b"turn %d" % turn).hex()
                connection.sendall(encode(b"half a packet")[:-3])
        status, said = bridge.end()
    assert status == 0
    assert said.count("the line is there") == 3
    assert said.count("the line is gone") >= 2


@needs_namespace
def test_lossy_line(tmp_path):
    """Bytes are lost and repeated: packets are lost, none is wrong, and most arrive."""
    chance = random.Random(1)

    def damage(data):
        out = bytearray()
        for byte in data:
            luck = chance.random()
            out += b"" if luck < 0.002 else bytes([byte]) * (2 if luck < 0.004 else 1)
        return bytes(out)

    line = f"unix:{tmp_path}/line"
    with listener(tmp_path / "line") as server, Bridge(line, patience=0.2) as bridge:
        connection, _ = server.accept()
        with connection:
            peer = peer_of(connection, damage)
            assert bridge.line(peer, connection) == "ready"
            arrived = 0
            for number in range(60):
                payload = b"%d " % number + b"x" * 40
                answer = bridge.ask(payload, peer, connection)
                assert answer in (payload.hex(), "?")
                arrived += answer != "?"
            peer.damage = lambda data: data
            connection.sendall(b"\xc0")
            answers = [bridge.ask(b"good again", peer, connection) for _ in range(3)]
            assert b"good again".hex() in answers
            status, said = bridge.end()
    assert status == 0
    assert 20 <= arrived < 60
    assert statistics(said)[1] > 0


@needs_namespace
def test_terminal():
    """A pseudoterminal stands for the serial port: every byte passes as it is."""
    master, slave = os.openpty()
    try:
        with Bridge(os.ttyname(slave), "--baud", "921600") as bridge:
            peer = Peer(lambda: os.read(master, 4096), lambda data: os.write(master, data))
            assert bridge.line(peer, master) == "ready"
            assert termios.tcgetattr(slave)[tty.OSPEED] == termios.B921600
            for payload in (bytes(range(256)), b"\x03\x11\x13\x04\x1a\r\n"):
                assert bridge.ask(payload, peer, master) == payload.hex()
            status, _ = bridge.end()
        assert status == 0
    finally:
        os.close(slave)
        os.close(master)


def run(*arguments, namespace=False):
    command = [NAMESPACE if namespace else PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)


@needs_namespace
def test_ends_with_its_command_or_by_a_signal(tmp_path):
    with listener(tmp_path / "line"):
        done = run(f"unix:{tmp_path}/line", "--", "sh", "-c", "exit 7", namespace=True)
        assert done.returncode == 7
        done = run(f"unix:{tmp_path}/line", "--", "/does/not/exist", namespace=True)
        assert done.returncode == 127
    command = ["unshare", "--user", "--map-root-user", "--net", "--", PROGRAM, "--stats", "pty"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        assert process.stdout.readline().startswith("/dev/pts/")
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert "in: 0 packets" in process.stderr.read()


@needs_namespace
def test_what_is_no_line(tmp_path):
    plain = tmp_path / "file"
    plain.write_text("")
    done = run(str(plain), "--", "true", namespace=True)
    assert done.returncode == 8
    assert "Inappropriate ioctl" in done.stderr


@pytest.mark.parametrize("arguments, said", [
    ([], "Usage"),
    (["--baud", "12345", "x"], "one of 9600"),
    (["--address", "10.0.0.256/8", "x"], "not ADDRESS/PREFIX"),
    (["--route", "10.0.0.0/33", "x"], "not ADDRESS/PREFIX"),
    (["--device", "a-name-that-is-too-long", "x"], "name of 1 to 15"),
    (["x", "y"], "Usage"),
    (["x", "--"], "Usage"),
])
def test_usage(arguments, said):
    done = run(*arguments)
    assert done.returncode == 16
    assert said in done.stderr


def test_help():
    done = run("--help")
    assert done.returncode == 0
    assert "--route" in done.stdout
