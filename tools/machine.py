# SPDX-License-Identifier: BSD-2-Clause
"""A Toklat machine in QEMU, seen from outside: its console, its HTTP port, its end.

    with Machine("dts/web.dts", vms=100) as machine:
        machine.wait_until_serving()
        machine.get("/vm/7/")

Every wait is for a condition, has a limit, and fails at once when the machine has ended or the
hypervisor has panicked. tools/run knows QEMU's command line.
"""

import errno
import http.client
import itertools
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
PANIC = re.compile(rb"^toklat: error: panic:[^\n]*", re.M)
TAIL_LINES = 40
BOOT_SECONDS = 60
STOP_SECONDS = 60
POLL_SECONDS = 0.05
PROBE_SECONDS = 1
GROUP_IS_MADE = re.compile(r"^toklat: (?:error: )?group \S+: (?:template of|no template)", re.M)
BOARDS = {"rpi3": "raspi3b", "rpi4": "raspi4b"}  # as QEMU calls them


class MachineError(AssertionError):
    """The machine did not do what was waited for. The message ends with the console's tail."""


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Of this side, below those that Linux gives by itself. The same port again, while the guest's end
# of the connection before is in TIME-WAIT, is not taken, and QEMU tries again after 6 seconds.
PORTS = itertools.cycle(range(20000, 32000))


def connect_from_fresh_port(where, timeout):
    while True:
        try:
            return socket.create_connection(where, timeout, ("127.0.0.1", next(PORTS)))
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise


class Connection(http.client.HTTPConnection):
    """From a port that was not used just before."""

    def connect(self):
        self.sock = connect_from_fresh_port((self.host, self.port), self.timeout)


def make_deployment(deployment, folder, defines=None, images=None, allow_missing=False):
    """Compiles a deployment (a path, or the text of a source) into an archive in `folder`."""
    source = pathlib.Path(folder) / "deployment.dts"
    if "\n" in str(deployment):
        source.write_text(str(deployment))
    else:
        source = ROOT / deployment
    archive = pathlib.Path(folder) / "initrd.cpio"
    command = [ROOT / "tools/make-deployment", source, archive]
    command += [f"-D{name}={value}" for name, value in (defines or {}).items()]
    command += ["--", *(["--images", images] if images else [])]
    command += ["--allow-missing"] if allow_missing else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MachineError(f"make-deployment: {done.stderr}")
    return archive


class Machine:
    """One QEMU, from `with` to its end. The arguments are those of make run, in lower case; the
    board and its number of CPUs are TOKLAT_BOARD and TOKLAT_SMP where a test asks for none. A disk
    is what U-Boot boots from, a card an image of a Raspberry Pi 3's, which it writes to. On a board
    without one, tree is its device tree in place of the usual one, the store is the card, and the
    network is the serial line `line`."""

    booted = []  # the kinds of all machines so far

    def __init__(self, deployment=None, *, vms=None, initrd=None, defines=None, images=None,
                 allow_missing=False, mem="1G", cpu="cortex-a72", gic=3, smp=None, append="",
                 store=None, kernel=None, disk=None, card=None, board=None, tree=None,
                 icount=False, api=False, qemu=()):
        self.token = secrets.token_hex(32) if api else None
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="toklat-"))
        defines = {**(defines or {}), **({"VMS": vms} if vms else {})}
        if api:
            defines["TOKEN"] = f'"token={self.token}"'
        self.initrd = initrd or card or make_deployment(
            deployment, self.folder, defines, images, allow_missing
        )
        board = "rpi3" if card else board or os.environ.get("TOKLAT_BOARD", "virt")
        self.board = board
        self._run = ROOT / "tools" / ("run" if board == "virt" else "run-board")
        cpus = int(smp or os.environ.get("TOKLAT_SMP", 1))
        virt = f"virt, {cpus} CPU{'s' if cpus > 1 else ''}"
        self.kind = BOARDS.get(board, virt)
        self.line = f"unix:{self.folder}/line"
        self.port = free_port()
        self.api_port = free_port()
        self.api_url = f"http://127.0.0.1:{self.api_port}"
        self._environment = {
            **os.environ,
            "MEM": mem, "CPU": cpu, "GIC": str(gic), "APPEND": append,
            "SMP": str(cpus),
            "STORE": str(store or ""), "BOARD": board,
            "TREE": str(tree or ""), **({} if card or board == "virt" else {"LINE": self.line}),
            "BOOT": "uboot" if disk else "direct", "DISK": str(disk or ""),
            "PORT": str(self.port), "API_PORT": str(self.api_port),
            "KERNEL": str(kernel or ROOT / "build/toklat.bin"),
        }
        self._qemu = (["-icount", "shift=0,sleep=off"] if icount else []) + list(qemu)
        self._text = bytearray()
        self._arrived = threading.Condition()
        self._process = None
        self._said_all = False

    @staticmethod
    def images():
        """The folder of the guests that were built."""
        return ROOT / "build/guests"

    def __enter__(self):
        Machine.booted.append(self.kind)
        self._process = subprocess.Popen(
            [self._run, self.initrd, *self._qemu],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=ROOT, env=self._environment, start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read_console, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, kind, error, trace):
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None and PANIC.search(self._text):
            raise MachineError("the hypervisor panicked" + self.tail())

    def stop(self):
        """Ends QEMU and returns its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_SECONDS)
        return self._process.returncode

    def pid(self):
        """QEMU's."""
        return self._process.pid

    def cut_power(self):
        """Ends QEMU at once, in the middle of whatever it does."""
        self._process.kill()
        self._process.wait()
        self._reader.join(STOP_SECONDS)

    def wait_for_end(self, timeout=STOP_SECONDS):
        """Waits until QEMU ends by itself, and has said all; returns its exit status."""
        status = self._process.wait(timeout)
        self._reader.join(timeout)
        return status

    # The console.

    def _read_console(self):
        while True:
            chunk = os.read(self._process.stdout.fileno(), 65536)
            with self._arrived:
                self._text += chunk
                self._said_all = not chunk
                self._arrived.notify_all()
            if not chunk:
                return

    def console(self, start=0):
        """All that was printed from position `start` on."""
        return self._text[start:].decode(errors="replace").replace("\r", "")

    def position(self):
        return len(self._text)

    def tail(self):
        return "\n--- console:\n" + "\n".join(self.console().splitlines()[-TAIL_LINES:])

    def wait_for(self, pattern, timeout=BOOT_SECONDS, start=0):
        """Waits for a regular expression on the console, from `start` on; returns its match."""
        expression = re.compile(pattern.encode(), re.M)
        deadline = time.monotonic() + timeout
        with self._arrived:
            while True:
                found = expression.search(self._text, start)
                if found:
                    return found
                self.check_alive()
                left = deadline - time.monotonic()
                if left <= 0:
                    raise MachineError(f"no {pattern!r} within {timeout} s" + self.tail())
                self._arrived.wait(min(left, 1))

    def check_alive(self):
        """Or if it has ended, there may still be something on the console that it said before."""
        if PANIC.search(self._text):
            raise MachineError("the hypervisor panicked" + self.tail())
        if self._said_all and self._process.poll() is not None:
            raise MachineError(f"QEMU ended with {self._process.returncode}" + self.tail())

    def send_key(self, key):
        """Types on the hypervisor's console; returns the position from which to read the answer."""
        start = self.position()
        self._process.stdin.write(key.encode())
        self._process.stdin.flush()
        return start

    def footprint(self, timeout=60):
        """What the debug key `f` says, as a dictionary."""
        start = self.send_key("f")
        line = self.wait_for(r'^\{"images".*\}\r?\n', timeout, start)
        return json.loads(line.group())

    # The network.

    def get(self, path, timeout=20, method="GET", headers=None):
        """One request on a connection of its own: (status, body)."""
        connection = Connection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def api(self, method, path, body=None, headers=None, timeout=20):
        """A request to the supervisor with the machine's token, unless `headers` say otherwise; a
        body that is not bytes is sent as JSON. Returns (status, headers, body)."""
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = Connection("127.0.0.1", self.api_port, timeout=timeout)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def wait_for_api(self, timeout=BOOT_SECONDS):
        """Until the supervisor answers, and all images are ready."""
        def ready():
            images = json.loads(self.api("GET", "/v1/images", timeout=PROBE_SECONDS)[2])["images"]
            return all(image["state"] == "ready" for image in images)
        self.wait_until(ready, timeout, "the API")

    def get_json(self, path, timeout=20):
        status, body = self.get(path, timeout)
        if status != 200:
            raise MachineError(f"{path}: {status} {body[:200]!r}" + self.tail())
        return json.loads(body)

    def exchange(self, data, timeout=20):
        """Sends raw bytes to the HTTP port and returns all that comes until it is closed."""
        with connect_from_fresh_port(("127.0.0.1", self.port), timeout) as link:
            link.sendall(data)
            answer = bytearray()
            while chunk := link.recv(65536):
                answer += chunk
            return bytes(answer)

    def wait_until(self, condition, timeout=BOOT_SECONDS, what="a condition"):
        """Waits until `condition()` is true, taking a refused connection for false."""
        deadline, last = time.monotonic() + timeout, None
        while time.monotonic() < deadline:
            self.check_alive()
            try:
                result = condition()
                if result:
                    return result
            except (OSError, http.client.HTTPException) as problem:
                last = problem
            time.sleep(POLL_SECONDS)
        raise MachineError(f"{what}: not within {timeout} s; last: {last!r}" + self.tail())

    def wait_until_serving(self, path="/", timeout=BOOT_SECONDS):
        """The probes are short: a connection made before the portal listens is never answered. A
        board has no port on this machine: it is waited for until all groups can serve."""
        if self.board != "virt":
            groups = int(self.wait_for(r"VMs defined in (\d+) groups", timeout)[1])
            return self.wait_until(
                lambda: len(GROUP_IS_MADE.findall(self.console())) == groups, timeout, "all groups"
            )
        return self.wait_until(
            lambda: self.get(path, PROBE_SECONDS)[0] == 200, timeout, f"200 from {path}"
        )

    def status_of_all(self, count, threads=16, timeout=60, progress=None):
        """status.json of web VMs 1 to `count`, asked for concurrently; in order."""
        done = 0

        def one(number):
            nonlocal done
            status = self.get_json(f"/vm/{number}/status.json", timeout)
            done += 1
            if progress:
                progress(done, count)
            return status

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, range(1, count + 1)))
