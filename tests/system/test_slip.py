# SPDX-License-Identifier: BSD-2-Clause
"""VMs behind a serial line: Toklat with SLIP as its uplink, and toklat-slip at the other end.

QEMU's virt has one UART, which is the console's, and so has a Raspberry Pi 3 on its pins: `slip=`
names it, and nothing is logged.
"""

import pathlib
import subprocess
import sys
import tempfile

import pytest

from machine import make_deployment
from test_slip_host import MISSING, NAMESPACE, ROOT

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no namespace: {MISSING}")

SECONDS = 120
BOARD_TREE = ROOT / "build/trees/bcm2837-rpi-3-b.dtb"

# Machine: its UART, and QEMU's arguments. The line is the last serial port.
MACHINES = {
    "virt": ("/pl011@9000000", ["-machine", "virt,virtualization=on,gic-version=3",
                                "-cpu", "cortex-a72", "-m", "512M", "-net", "none"]),
    "raspi3b": ("serial1", ["-machine", "raspi3b", "-dtb", str(BOARD_TREE), "-serial", "null"]),
}

# Asks for each path until it has an answer; prints how long each body is.
FETCH = """
import http.client, sys, time
deadline = time.monotonic() + 60
for path in sys.argv[1:]:
    while True:
        try:
            connection = http.client.HTTPConnection("10.64.0.1", timeout=20)
            connection.request("GET", path)
            answer = connection.getresponse()
            print(answer.status, len(answer.read()), path)
            break
        except (OSError, http.client.HTTPException):
            assert time.monotonic() < deadline
            time.sleep(0.2)
"""


@pytest.fixture(name="line", scope="module", params=MACHINES)
def fixture_line(request):
    """A machine whose only wire is the socket that is returned."""
    uart, machine = MACHINES[request.param]
    if request.param == "raspi3b" and not BOARD_TREE.exists():
        pytest.skip(f"no {BOARD_TREE.relative_to(ROOT)}")
    with tempfile.TemporaryDirectory(prefix="toklat-") as folder:
        archive = make_deployment("dts/web.dts", folder, {"VMS": 20})
        line = f"unix:{folder}/line"
        command = ["qemu-system-aarch64", *machine, "-display", "none", "-monitor", "none"]
        command += ["-serial", f"{line},server=on,wait=off"]
        command += ["-kernel", ROOT / "build/toklat.bin", "-initrd", archive]
        command += ["-append", f"slip={uart}"]
        log = pathlib.Path(folder) / "qemu.log"
        with log.open("w") as said, subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said) as qemu:
            try:
                yield line
                assert qemu.poll() is None, log.read_text()
            finally:
                qemu.kill()


def fetch(line, *paths):
    command = [NAMESPACE, "--stats", line, "--", sys.executable, "-c", FETCH, *paths]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), done.stderr


def test_vms_answer(line):
    answers, _ = fetch(line, "/", "/vm/7/", "/vm/20/status.json")
    assert [answer.split()[0] for answer in answers] == ["200"] * 3
    assert int(answers[0].split()[1]) > 500


def test_the_cable_is_pulled_and_put_back(line):
    """Each call is a new end of the line; what the last one left half sent is no harm."""
    for number in range(1, 6):
        answers, said = fetch(line, f"/vm/{number}/")
        assert answers[0].startswith("200 ")
        assert "line came 1 times" in said
