# SPDX-License-Identifier: BSD-2-Clause
"""docs/first-guest.md, followed to the letter: its files are written, its commands are run in one
folder, and what they print is what the page says.

A block ```LANGUAGE NAME is the file NAME. A block ```console has commands, each after a "$", and
what they print; "..." stands for any lines. Where a command is `make run`, a machine is made with
its arguments. Replaced are the ports, and where the repository is.
"""

import contextlib
import os
import re
import subprocess
from unittest import mock

import pytest

from machine import ROOT, Machine

PAGE = ROOT / "docs/first-guest.md"
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.M | re.S)
RUN = re.compile(r"make -C \$TOKLAT run(.*)")
COMMAND_SECONDS = 300  # the first one compiles
END_SECONDS = 30
STEPS = re.split(r"^## ", PAGE.read_text(), flags=re.M)[1:]


def step_of(title):
    return next(step for step in STEPS if step.startswith(title))


def commands_of(text):
    """(command, what it prints) of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def looks_like(output):
    """An expression for what a command prints."""
    lines = [r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n"
             for line in output.splitlines()]
    return re.compile("".join(lines))


class Reader:
    """Who follows the page: a folder, what was exported, and a machine in another terminal."""

    def __init__(self, folder):
        self.folder = folder
        self.exports = []
        self.machine = None
        self.running = contextlib.ExitStack()

    def follow(self, text):
        for language, name, body in BLOCK.findall(text):
            if name:
                (self.folder / name).write_text(body)
            elif language == "console":
                for command, output in commands_of(body):
                    self.do(command, output)

    def do(self, command, output):
        if command.startswith("export TOKLAT="):
            self.exports.append(f"export TOKLAT={ROOT}")
        elif command.startswith("export "):
            self.exports.append(command)
        elif RUN.fullmatch(command):
            self.boot(RUN.fullmatch(command)[1])
        else:
            printed = self.bash(command)
            if output:
                assert looks_like(output).fullmatch(printed), f"$ {command}\n{printed}"

    def bash(self, command):
        if self.machine:
            command = command.replace(":8080", f":{self.machine.port}")
        done = subprocess.run(
            ["bash", "-c", "\n".join([*self.exports, command])], cwd=self.folder,
            env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=COMMAND_SECONDS, check=False)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}"
        return done.stdout

    def environment(self):
        """Not that of a make that runs the tests."""
        mine = {name: value for name, value in os.environ.items()
                if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DESTDIR", "PKG_CONFIG_LIBDIR"}}
        if self.machine and self.machine.token:
            mine |= {"TOKLAT_URL": self.machine.api_url, "TOKLAT_TOKEN": self.machine.token}
        return mine

    def boot(self, arguments):
        """As `make run` does: with an API where the deployment has a supervisor."""
        given = dict(word.split("=", 1) for word in self.bash(f"echo {arguments}").split())
        assert given.keys() <= {"DEPLOY", "IMAGES"}
        own = "DEPLOY" in given
        self.leave()
        with mock.patch.dict(os.environ, IMAGES=given.get("IMAGES", "")):
            machine = Machine(given.get("DEPLOY", "dts/web.dts"), api=not own,
                              store=self.folder / f"{'own' if own else 'web'}.img")
        self.machine = self.running.enter_context(machine)
        machine.wait_until_serving()
        if not own:
            machine.wait_for_api()

    def leave(self):
        """Types Q, which keeps what the VMs have."""
        if self.machine:
            with self.running:
                self.machine.send_key("Q")
                self.machine.wait_for_end(END_SECONDS)
            self.machine = None


@pytest.fixture(scope="module", name="reader")
def reader_fixture(tmp_path_factory):
    reader = Reader(tmp_path_factory.mktemp("first-guest"))
    for title in ("What it is built with", "Thirty lines"):
        reader.follow(step_of(title))
    with reader.running:
        yield reader


@pytest.mark.own_machine
def test_the_guest_has_thirty_lines():
    code = next(body for _, name, body in BLOCK.findall(PAGE.read_text()) if name == "guestbook.c")
    assert sum(1 for line in code.splitlines() if line) == 30


@pytest.mark.own_machine
def test_the_guest_is_an_image(reader):
    elf = (reader.folder / "guestbook.elf").read_bytes()
    assert elf[:4] == b"\x7fELF" and b"Toklat" in elf


def test_it_is_pushed_to_a_running_machine(reader):
    reader.follow(step_of("A hundred of them"))
    reader.leave()


def test_it_is_deployed_and_survives_the_machine(reader):
    reader.follow(step_of("There when the machine boots"))
    reader.leave()


@pytest.mark.own_machine
@pytest.mark.parametrize("guest", ["guests/hello", "tests/guests/echo", "tests/guests/bench_http"])
def test_guests_of_the_tree_build_outside_it(reader, guest):
    name = guest.rsplit("/", maxsplit=1)[-1]
    (reader.folder / f"{name}.c").write_text((ROOT / guest / "main.c").read_text())
    package = "toklat-guest-net" if name == "bench_http" else "toklat-guest"
    reader.bash(f"aarch64-linux-gnu-gcc -Wall -Wextra -Werror $(pkg-config --cflags {package}) "
                f"{name}.c $(pkg-config --libs {package}) -o {name}.elf")


@pytest.mark.own_machine
def test_each_header_of_the_sdk_stands_alone(reader):
    root = reader.folder / "sdk/include/toklat"
    headers = sorted([*root.glob("abi/*.h"), *root.glob("guests/rt/*.h")])
    assert len(headers) > 12
    for header in headers:
        name = header.relative_to(root)
        reader.bash(f"echo '#include \"{name}\"' | aarch64-linux-gnu-gcc -Wall -Wextra -Werror "
                    "$(pkg-config --cflags toklat-guest-net) -fsyntax-only -x c -")


@pytest.mark.own_machine
def test_what_the_sdk_makes_is_safe_on_a_cortex_a53(reader):
    reader.bash("$TOKLAT/tools/check-errata guestbook.elf")


FP_GUEST = """
#include "guests/rt/hypercall.h"
#include "guests/rt/image.h"
TOKLAT_IMAGE(64 * 1024, 4096, 0);
int guest_main(void)
{
    volatile double two = 2;
    return (int)(two * 3.5);
}
"""


@pytest.mark.own_machine
def test_a_guest_may_use_fp_registers(reader):
    (reader.folder / "fp.c").write_text(FP_GUEST)
    command = "aarch64-linux-gnu-gcc $(pkg-config %s --cflags toklat-guest) fp.c $(pkg-config "\
              "--libs toklat-guest) -o fp.elf"
    with pytest.raises(AssertionError, match="-mgeneral-regs-only"):
        reader.bash(command % "")
    reader.bash(command % "--define-variable=registers=")


@pytest.mark.own_machine
def test_what_is_installed_works_and_can_be_removed(reader, tmp_path):
    where = f"DESTDIR={tmp_path} PREFIX=/usr"
    reader.bash(f"make -C $TOKLAT install {where}")
    share = tmp_path / "usr/share"
    pc = (share / "pkgconfig/toklat-guest.pc").read_text()
    assert pc.startswith("prefix=/usr\n") and str(tmp_path) not in pc
    assert reader.bash(f"{tmp_path}/usr/bin/toklat version").startswith("toklat")
    assert (share / "man/man1/toklat.1").read_text().count(".Sh") > 5
    completions = share / "bash-completion/completions/toklat"
    assert "-F" in reader.bash(f". {completions}; complete -p toklat")
    assert (share / "zsh/site-functions/_toklat").read_text().startswith("#compdef toklat\n")
    reader.bash(f"make -C $TOKLAT uninstall {where}")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
