# SPDX-License-Identifier: BSD-2-Clause
"""The control API of a machine, seen by a client that may also behave badly."""

import contextlib
import json
import socket
import urllib.parse

from machine import Connection, connect_from_fresh_port

TIMEOUT = 60


class Client:
    """`machine` is a Machine that was made with api=True; each request has a connection of its
    own."""

    def __init__(self, machine):
        self.machine = machine
        self.token = machine.token
        self.host, port = urllib.parse.urlsplit(machine.api_url).netloc.split(":")
        self.port = int(port)

    def authorization(self):
        return {"Authorization": f"Bearer {self.token}"}

    def connect(self, timeout=TIMEOUT):
        return connect_from_fresh_port((self.host, self.port), timeout)

    def connect_and_wait(self, timeout=TIMEOUT):
        """A connection that the server has, too, because one that was made after it is answered
        within `timeout`. QEMU takes connections one after another, and makes no more than one of
        them wait."""
        link = self.connect()
        assert self.ask("GET", "/v1/health", timeout=timeout)[0] == 200
        return link

    @contextlib.contextmanager
    def open(self, method, path, body=None, headers=None, timeout=TIMEOUT):
        """A response whose body has not been read."""
        link = Connection(self.host, self.port, timeout=timeout)
        try:
            link.request(method, path, body, {**self.authorization(), **(headers or {})})
            yield link.getresponse()
        finally:
            link.close()

    def ask(self, method, path, body=None, headers=None, timeout=TIMEOUT):
        """(status, headers, body) of a request. A body that is neither bytes nor None is sent as
        JSON; a header that is None is left out."""
        headers = {**self.authorization(), **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers = {"Content-Type": "application/json", **headers}
        headers = {name: value for name, value in headers.items() if value is not None}
        link = Connection(self.host, self.port, timeout=timeout)
        try:
            link.request(method, path, body, headers)
            answer = link.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            link.close()

    def get(self, path, **more):
        """What a GET of JSON says."""
        status, _, body = self.ask("GET", path, **more)
        assert status == 200, f"{path}: {status} {body[:300]!r}"
        return json.loads(body)

    def raw(self, data, timeout=TIMEOUT, shut=False):
        """Sends bytes, and with `shut` the end of them; returns all that comes until the server
        closes."""
        with self.connect(timeout) as link:
            answer = bytearray()
            with contextlib.suppress(ConnectionError):
                link.sendall(data)
                if shut:
                    link.shutdown(socket.SHUT_WR)
                while chunk := link.recv(65536):
                    answer += chunk
            return bytes(answer)

    def raw_status(self, data, timeout=TIMEOUT, shut=False):
        """The status of the answer to such bytes; None if there was none."""
        words = self.raw(data, timeout, shut).split(b" ", 2)
        return int(words[1]) if words[0].startswith(b"HTTP/1.") else None

    def head(self, line, *headers, token=True):
        """The bytes of a head that asks to close."""
        lines = [line, "Host: toklat", "Connection: close", *headers]
        lines += [f"Authorization: Bearer {self.token}"] if token else []
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    # What many tests need.

    def supervisor(self):
        """The supervisor's own VM object."""
        image = next(i for i in self.get("/v1/images")["images"] if i["supervisor"])
        return self.get(f"/v1/vms/{image['first_vm']}")

    def create(self, image="web", count=1, start=True):
        """Numbers of new VMs."""
        status, _, body = self.ask("POST", "/v1/vms",
                                   {"image": image, "count": count, "start": start})
        assert status == 201, f"{status} {body[:300]!r}"
        made = json.loads(body)["numbers"]
        return [n for first, last in made for n in range(first, last + 1)]

    def upload(self, name, elf, reserve=10, **more):
        """The answer to the upload of a file."""
        query = {"name": name, "reserve": reserve, "file": f"{name}.elf", **more}
        query = {key: value for key, value in query.items() if value is not None}
        query = urllib.parse.urlencode(query, quote_via=urllib.parse.quote)
        headers = {"Content-Type": "application/octet-stream"}
        return self.ask("POST", f"/v1/images?{query}", elf, headers)

    def wait_until_up(self):
        """The probes are short: a connection made before the supervisor listens is lost."""
        def look():
            return self.ask("GET", "/v1/health", timeout=1)[0] == 200
        self.machine.wait_until(look, what="the API")

    def wait_for_state(self, number, *states, timeout=TIMEOUT):
        """The VM object, once it is in one of these states."""
        def look():
            vm = self.get(f"/v1/vms/{number}")
            return vm if vm["state"] in states else None
        return self.machine.wait_until(look, timeout, f"VM {number} {' or '.join(states)}")

    def wait_until_ready(self, image, timeout=TIMEOUT):
        """The image object, once its template is made."""
        def look():
            found = self.get(f"/v1/images/{image}")
            return found if found["state"] == "ready" else None
        return self.machine.wait_until(look, timeout, f"image {image}")


def events(response):
    """(event, data) of a stream of server-sent events, for ever; data is what its JSON says."""
    kind, data = None, []
    for line in response:
        line = line.decode().rstrip("\r\n")
        if not line and data:
            yield kind, json.loads("\n".join(data))
            kind, data = None, []
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            kind = value
        elif field == "data":
            data.append(value)
