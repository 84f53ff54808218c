# SPDX-License-Identifier: BSD-2-Clause
"""Runs in the namespace of tools/in-namespace: asks the supervisor for its health while others
begin connections to it that they never finish, from addresses that nobody has. Prints what came of
it as JSON."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import socket
import struct
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from machine import Machine  # noqa: E402

SUPERVISOR = "10.64.0.1"
REQUESTS = 20
DICE = random.Random(1)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def syn(number):
    """An IP packet: the first segment of a connection, from an address of its own."""
    source = bytes([10, 1 + number % 50, number // 50 % 250, 7])
    target = socket.inet_aton(SUPERVISOR)
    port = 1024 + number % 60000
    segment = struct.pack("!HHIIBBHHH", port, 80, DICE.randrange(2**32), 0, 5 << 4, 2, 8192, 0, 0)
    check = checksum(source + target + struct.pack("!BBH", 0, 6, len(segment)) + segment)
    segment = segment[:16] + struct.pack("!H", check) + segment[18:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64, 6, 0, source,
                       target) + segment


def flood(stop, sent):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as link:
        while not stop.wait(0.02):
            for _ in range(20):
                link.sendto(syn(len(sent)), (SUPERVISOR, 0))
                sent.append(1)


def health(timeout):
    link = http.client.HTTPConnection(SUPERVISOR, 80, timeout=timeout)
    with contextlib.closing(link):
        link.request("GET", "/v1/health")
        return link.getresponse().status == 200


def main():
    os.environ["NET"] = "tap"
    stop, sent, answered = threading.Event(), [], 0
    with Machine("dts/web.dts", vms=20, mem="256M", api=True) as machine:
        machine.wait_until(lambda: health(1), what="the API")
        others = threading.Thread(target=flood, args=(stop, sent))
        others.start()
        try:
            # More than there is room for, before the first of them is given up.
            machine.wait_until(lambda: len(sent) > 500, what="a flood")
            begun = time.monotonic()
            for _ in range(REQUESTS):
                with contextlib.suppress(OSError):
                    answered += health(8)
        finally:
            stop.set()
            others.join()
    print(json.dumps({"answered": answered, "seconds": time.monotonic() - begun,
                      "sent": len(sent)}))


main()
