# SPDX-License-Identifier: BSD-2-Clause
"""The `toklat` command against a machine that runs: what each subcommand shows and does, as text
and as JSON, on a terminal and without one, and how it ends when something is wrong."""

import contextlib
import fcntl
import http.server
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import threading
import time

import pytest

from machine import ROOT, Machine
from store_maker import TOOL
from stores import make_store

pytestmark = pytest.mark.own_machine

CLEAN, REFUSED, UNREACHED, NOT_FOUND, NOT_AUTHORISED, OPERATIONAL, USAGE = 0, 1, 3, 5, 6, 8, 16
VMS = 20
RESERVE = 100
MANY = 100_000
SECONDS = 60
COMMANDS = ("ps run rm start pause resume restart checkpoint clone logs attach top footprint "
            "images push rmi set inspect events up completion version").split()
ECHO = ROOT / "build/guests/echo.elf"


class Tool:
    """The command, and the machine that it asks."""

    def __init__(self, machine):
        self.machine = machine
        self.environment = {**os.environ, "TOKLAT_URL": machine.api_url,
                            "TOKLAT_TOKEN": machine.token, "LC_ALL": "C.UTF-8"}
        for name in ("COLUMNS", "NO_COLOR"):
            self.environment.pop(name, None)

    def run(self, *arguments, code=CLEAN, cwd=None, **environment):
        """What it said on stdout, or on stderr when it is to end with another code."""
        done = subprocess.run(
            [TOOL, *map(str, arguments)], capture_output=True, timeout=SECONDS, check=False,
            env={**self.environment, **environment}, stdin=subprocess.DEVNULL, cwd=cwd,
        )
        said = done.stderr.decode()
        assert done.returncode == code, f"{arguments}: {done.returncode}: {said}"
        return done.stdout.decode() if code == CLEAN else said

    def json(self, *arguments, **more):
        return json.loads(self.run(*arguments, "--json", **more))

    def states(self, *arguments):
        """VM name -> state"""
        return {vm["name"]: vm["state"] for vm in self.json("ps", "-a", *arguments)["vms"]}

    def make(self, count=1, image="web"):
        """New VMs: the name of the first and their numbers."""
        made = self.json("run", image, "-n", count)["numbers"]
        numbers = [n for first, last in made for n in range(first, last + 1)]
        return f"{image}/{self.json('inspect', numbers[0])['instance']}", numbers

    @contextlib.contextmanager
    def on_terminal(self, *arguments, columns=80, lines=24):
        """The command on a terminal of its own: a Terminal."""
        pid, master = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execve(TOOL, ["toklat", *map(str, arguments)],
                      {**self.environment, "TERM": "xterm"})
        terminal = Terminal(pid, master)
        try:
            yield terminal
        finally:
            terminal.close()


class Terminal:
    def __init__(self, pid, master):
        self.pid, self.master, self.text = pid, master, ""
        self.status = None

    def expect(self, pattern, start=0):
        """Reads until a regular expression is there; the position behind it."""
        deadline = time.monotonic() + SECONDS
        while not (found := re.search(pattern, self.text[start:], re.S)):
            ready = select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]
            assert ready, f"no {pattern!r} in {self.text!r}"
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"ended without {pattern!r}: {self.text!r}") from None
        return start + found.end()

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        """Reads to the end; the exit code."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.master, 65536).decode(errors="replace")
                    continue
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                return self.status
        raise AssertionError(f"does not end: {self.text!r}")

    def close(self):
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, 9)
            os.waitpid(self.pid, 0)
        os.close(self.master)


@pytest.fixture(scope="module", name="tool")
def tool_fixture(tmp_path_factory):
    store = make_store(tmp_path_factory.mktemp("toklat"), "--size", "64M", "--vms", "4096")
    defines = {"RESERVE": RESERVE, "SPARE": 1000}
    with Machine("dts/web.dts", vms=VMS, mem="256M", defines=defines, store=store,
                 api=True) as machine:
        machine.wait_for_api()
        yield Tool(machine)


@pytest.fixture(scope="module", name="echo")
def echo_fixture(tool):
    """A guest that repeats what its console is told: its name."""
    tool.run("push", ECHO, "--reserve", 50, "--network", "none")
    tool.run("run", "echo", "-n", 2)
    return "echo"


# --- the endpoint


def test_finds_a_machine_by_itself(tool, tmp_path):
    (tmp_path / "build").mkdir()
    token = tmp_path / "token"
    token.write_text(tool.machine.token + "\n")
    run = {"url": tool.machine.api_url, "token_file": str(token), "pid": tool.machine.pid()}
    (tmp_path / "build/run.json").write_text(json.dumps(run))
    assert "supervisor/1" in tool.run("ps", cwd=tmp_path, TOKLAT_URL="", TOKLAT_TOKEN="")


def test_says_that_a_machine_has_ended(tool, tmp_path):
    home = tmp_path / ".local/state/toklat"
    home.mkdir(parents=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    run = {"url": tool.machine.api_url, "token_file": "/dev/null", "pid": ended.pid}
    (home / "run.json").write_text(json.dumps(run))
    command = tmp_path / "toklat"  # build/run.json of the tree is another's
    shutil.copy(TOOL, command)
    environment = {**tool.environment, "TOKLAT_URL": "", "HOME": str(tmp_path)}
    done = subprocess.run([command, "ps"], env=environment, cwd=tmp_path, capture_output=True,
                          text=True, check=False)
    assert done.returncode == UNREACHED
    assert f"process {ended.pid}, which has ended" in done.stderr


def test_not_reached_and_not_authorised(tool):
    assert "cannot be reached" in tool.run("ps", code=UNREACHED, TOKLAT_URL="http://127.0.0.1:9")
    assert "token" in tool.run("ps", code=NOT_AUTHORISED, TOKLAT_TOKEN="0" * 64)
    assert "token" in tool.run("images", code=NOT_AUTHORISED, TOKLAT_TOKEN="")
    assert "TOKLAT_URL" in tool.run("ps", code=UNREACHED, TOKLAT_URL="ftp://127.0.0.1")


# --- help and usage


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    done = subprocess.run([TOOL, command, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == CLEAN and not done.stderr
    assert done.stdout.startswith(f"Usage: toklat {command}")
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_manual_names_every_command_and_option():
    manual = (ROOT / "docs/toklat.1").read_text()
    for command in COMMANDS:
        assert f".It Cm {command}" in manual, command
        usage = subprocess.run([TOOL, command, "--help"], capture_output=True, text=True,
                               check=True).stdout
        for option in set(re.findall(r"--([a-z][a-z-]+)", usage)) - {"json", "all", "follow"}:
            assert f"Fl -{option}" in manual, f"{command} --{option}"


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_manual_is_sound():
    done = subprocess.run(["mandoc", "-Tlint", ROOT / "docs/toklat.1"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("arguments", [
    (), ("nothing",), ("ps", "--nothing"), ("ps", "extra"), ("ps", "-n", "0"),
    ("ps", "--sort", "x"), ("run",), ("run", "web", "-n", "100001"),
    ("run", "web", "--key", "x" * 65), ("rm",), ("pause",), ("pause", "web"),
    ("pause", "--all"), ("pause", "--image", "web"), ("logs",), ("logs", "web/1-2"),
    ("clone", "web/*"), ("set", "web"), ("set", "web", "weight=0"), ("set", "web", "x=1"),
    ("footprint", "--by", "x"), ("completion", "fish"), ("top",),
    ("push", "x", "--memory", "1X"), ("inspect",),
])
def test_wrong_usage(tool, arguments):
    assert tool.run(*arguments, code=USAGE)


# --- lists


def test_ps(tool):
    text = tool.run("ps")
    assert re.match(r"NUMBER +NAME +STATE +CPU +USS +STORED +TIME\n", text)
    assert re.search(r"^ +1 +supervisor/1 ", text, re.M)
    assert " defined " not in text
    everything = tool.json("ps", "-a")["vms"]
    assert len(everything) >= VMS + 2
    assert set(everything[0]) == {"number", "name", "state", "cpu", "uss_bytes", "stored_bytes",
                                  "cpu_seconds"}
    assert [vm["number"] for vm in everything] == sorted(vm["number"] for vm in everything)
    assert len(tool.run("ps", "-a").splitlines()) == len(everything) + 1


def test_ps_filters(tool):
    _, numbers = tool.make(3)
    assert {vm["number"] for vm in tool.json("ps", "--image", "web")["vms"]} >= set(numbers)
    defined = tool.json("ps", "--image", "web", "--state", "defined", "-n", 7)["vms"]
    assert len(defined) == 7 and {vm["state"] for vm in defined} == {"defined"}
    biggest = tool.json("ps", "--sort", "uss", "-n", 3)["vms"]
    sizes = [vm["uss_bytes"] for vm in biggest]
    assert len(sizes) == 3 and sizes == sorted(sizes, reverse=True)
    name, _ = tool.make()  # the last one
    tool.run("checkpoint", name)
    assert tool.json("ps", "--sort", "stored", "-n", 1)["vms"][0]["stored_bytes"] > 0
    assert re.search(r" RX +TX\n", tool.run("ps", "--sort", "rx"))
    assert tool.json("ps", "--state", "dead")["vms"] == []
    assert "nowhere" in tool.run("ps", "--image", "nowhere", code=NOT_FOUND)
    assert "state" in tool.run("ps", "--state", "asleep", code=REFUSED)


@pytest.mark.parametrize("columns", [10, 24, 40, 80, 200])
@pytest.mark.parametrize("command", [("ps", "-a"), ("images",), ("footprint",),
                                     ("footprint", "--by", "vm"), ("top", "--batch", "-n", "1")])
def test_tables_fit(tool, command, columns):
    text = tool.run(*command, COLUMNS=str(columns))
    assert max(map(len, text.splitlines())) <= columns
    with tool.on_terminal(*command, columns=columns) as terminal:
        assert terminal.end() == CLEAN
        plain = re.sub(r"\x1b\[[0-9;]*m", "", terminal.text)
        assert max(map(len, plain.split("\r\n"))) <= columns


def test_colour_is_for_terminals(tool):
    assert "\x1b" not in tool.run("images", TERM="xterm")
    with tool.on_terminal("images") as terminal:
        assert terminal.end() == CLEAN
        assert "\x1b[32mready\x1b[0m" in terminal.text
    quiet = Tool(tool.machine)
    quiet.environment["NO_COLOR"] = "1"
    with quiet.on_terminal("images") as terminal:
        assert terminal.end() == CLEAN
        assert "\x1b" not in terminal.text


def test_footprint(tool):
    tool.make()
    shown = tool.json("footprint")
    web = next(image for image in shown["images"] if image["image"] == "web")
    assert web["live"] >= 1 and 0 < web["uss_bytes"]["min"] <= web["uss_bytes"]["max"]
    assert re.search(r"^web +\d+ ", tool.run("footprint"), re.M)
    text = tool.run("footprint")
    assert int(re.search(r"RAM +(\d+)", text)[1]) == shown["machine"]["ram_bytes"]
    vms = tool.json("footprint", "--by", "vm", "--image", "web")["vms"]
    assert len(vms) == web["live"] and all(vm["uss_bytes"] > 0 for vm in vms)
    assert set(tool.json("footprint", "--image", "web")["images"][0]) == set(web)
    assert "nowhere" in tool.run("footprint", "--image", "nowhere", code=NOT_FOUND)


def test_version(tool):
    shown = tool.json("version")
    assert shown["machine"]["api"] == "v1" and shown["toklat"]
    assert f"machine {shown['machine']['version']}" in tool.run("version")
    assert tool.json("version", TOKLAT_URL="http://127.0.0.1:9")["machine"] is None


# --- VMs


def test_run_and_rm(tool):
    before = len(tool.states("--image", "web"))
    text = tool.run("run", "web", "-n", 3)
    first, last = map(int, re.fullmatch(r"started web: 3 VMs, numbers (\d+)-(\d+)\n",
                                        text).groups())
    assert last == first + 2 and len(tool.states("--image", "web")) == before + 3
    assert tool.run("rm", f"{first}-{last - 1}") == "deleted 2 VMs\n"
    assert tool.json("rm", last) == {"deleted": 1, "not_found": 0}
    assert "1 of them did not exist" in tool.run("rm", last, code=NOT_FOUND)
    assert len(tool.states("--image", "web")) == before


def test_run_is_all_or_none(tool):
    before = tool.states()
    said = tool.run("run", "web", "-n", RESERVE + 1, code=REFUSED)
    assert "count" in said and str(RESERVE + 1) in said and "status 409" in said
    assert "nowhere" in tool.run("run", "nowhere", code=NOT_FOUND)
    assert tool.states().keys() == before.keys()


def test_key_makes_a_repetition_harmless(tool):
    first = tool.json("run", "web", "-n", 2, "--key", "mine")
    assert tool.json("run", "web", "-n", 2, "--key", "mine") == first
    assert "Idempotency-Key" in tool.run("run", "web", "-n", 3, "--key", "mine", code=REFUSED)


def test_no_start(tool):
    made = tool.json("run", "web", "--no-start")["numbers"][0][0]
    assert tool.json("inspect", made)["state"] == "defined"
    assert tool.run("start", made).endswith(" started\n")
    assert tool.json("inspect", made)["state"] != "defined"


def test_pause_and_resume(tool):
    name, numbers = tool.make(3)
    instance = int(name.split("/")[1])
    text = tool.run("pause", f"web/{instance}-{instance + 2}")
    assert text == "".join(f"web/{instance + i} paused\n" for i in range(3))
    assert all(tool.states()[f"web/{instance + i}"] == "paused" for i in range(3))
    said = tool.run("pause", numbers[0], code=REFUSED)
    assert f"VM {numbers[0]}" in said and "paused" in said and "status 409" in said
    answer = tool.json("resume", "web/*")
    assert {vm["number"] for vm in answer["vms"]} == set(numbers) and answer["failed"] == []
    assert "paused" not in tool.states().values()


def test_one_failure_does_not_keep_the_others(tool):
    name, numbers = tool.make()
    said = tool.run("pause", 1, name, code=REFUSED)  # the supervisor pauses others only
    assert "VM 1" in said
    assert tool.states()[name] == "paused"
    tool.run("rm", numbers[0])
    assert tool.run("pause", numbers[0], code=NOT_FOUND)


def test_restart_and_checkpoint(tool):
    name, numbers = tool.make()
    assert tool.run("restart", name) == f"{name} restarted\n"
    assert tool.run("checkpoint", numbers[0]) == f"{name} checkpointed\n"
    vm = tool.json("inspect", name)
    assert vm["record"] != 0 and vm["stored_bytes"] > 0
    assert re.search(rf"^name +{name}$", tool.run("inspect", name), re.M)


def test_clone(tool):
    name, _ = tool.make()
    answer = tool.json("clone", name, "-n", 2)
    assert answer["image"] == "web" and answer["count"] == 2
    assert re.match(r"cloned web: 1 VM, number \d+\n", tool.run("clone", name))


def test_unknown_vms(tool):
    assert "web/999" in tool.run("inspect", "web/999", code=NOT_FOUND)
    assert "from 1 to" in tool.run("pause", "web/0", code=NOT_FOUND)
    assert "no image" in tool.run("logs", "nowhere/1", code=NOT_FOUND)
    assert tool.run("inspect", 1_000_000, code=NOT_FOUND)
    assert tool.run("inspect", "nowhere", code=NOT_FOUND)


# --- images


def test_images_and_settings(tool):
    names = {image["name"] for image in tool.json("images")["images"]}
    assert {"supervisor", "portal", "web"} <= names
    assert re.search(r"^web +httpd\.elf +ready +internal +", tool.run("images"), re.M)
    assert tool.run("set", "web", "weight=512", "memory-limit=1M") == \
        "web: weight=512 memory-limit=1M\n"
    image = tool.json("inspect", "web")
    assert image["weight"] == 512 and image["memory_limit_bytes"] == 1 << 20
    assert tool.json("set", "web", "weight=256", "memory-limit=0")["memory_limit_bytes"] == 0
    assert tool.run("set", "nowhere", "weight=1", code=NOT_FOUND)


def test_push_and_rmi(tool):
    text = tool.run("push", ECHO, "--name", "mine", "--reserve", 5, "--weight", 100, "--args",
                    "a b&c=d", "--peer", "web,portal")
    assert re.fullmatch(r"mine is ready: VMs \d+-\d+; `toklat run mine` makes one\n", text)
    image = tool.json("inspect", "mine")
    assert (image["file"], image["reserve"], image["weight"]) == ("echo.elf", 5, 100)
    assert "mine" in tool.run("push", ECHO, "--name", "mine", code=REFUSED)
    number = tool.json("run", "mine")["numbers"][0][0]
    assert "mine" in tool.run("rmi", "mine", code=REFUSED)
    tool.run("rm", number)
    assert tool.run("rmi", "mine") == "deleted image mine\n"
    assert tool.run("rmi", "mine", code=NOT_FOUND)
    assert tool.run("rmi", "web", code=REFUSED)


def test_push_of_what_is_no_image(tool, tmp_path):
    bad = tmp_path / "bad.elf"
    bad.write_bytes(b"\x7fELF" + bytes(5000))
    assert "status 422" in tool.run("push", bad, code=REFUSED)
    bad.write_bytes(bytes((2 << 20) + 1))
    assert "at most 2097152" in tool.run("push", bad, code=OPERATIONAL)
    assert "No such file" in tool.run("push", tmp_path / "none.elf", code=OPERATIONAL)
    assert "reserve" in tool.run("push", ECHO, "--name", "big", "--reserve", 2000, code=REFUSED)


def test_push_shows_a_bar_on_a_terminal(tool):
    with tool.on_terminal("push", ECHO, "--name", "barred", "--reserve", 1) as terminal:
        assert terminal.end() == CLEAN
    assert "barred is ready" in terminal.text
    tool.run("rmi", "barred")


# --- consoles


def test_attach_and_logs(tool, echo):
    with tool.on_terminal("attach", f"{echo}/1") as terminal:
        terminal.expect("Ctrl-]")
        terminal.type("hello there\r")
        at = terminal.expect("hello there\r\n")
        terminal.expect("hello there\r\n", at)  # what was typed, then what the guest says
        terminal.type("\x1d")
        assert terminal.end() == CLEAN
    assert "hello there" in tool.run("logs", f"{echo}/1").splitlines()
    assert "hello there" not in tool.run("logs", f"{echo}/2")
    lines = tool.run("logs", f"{echo}/1", "--json").splitlines()
    assert "hello there" in map(json.loads, lines)
    assert tool.run("logs", "-n", 0, f"{echo}/1") == ""


def test_attach_from_a_pipe(tool, echo):
    subprocess.run([TOOL, "attach", f"{echo}/2"], input=b"one\ntwo\nthree\n", check=True,
                   timeout=SECONDS, env=tool.environment)
    tool.machine.wait_until(lambda: tool.run("logs", "-n", 2, f"{echo}/2") == "two\nthree\n",
                            what="the last two lines")


def test_logs_follow(tool, echo):
    name, _ = tool.make(image=echo)
    subprocess.run([TOOL, "attach", name], input=b"before\n", check=True, timeout=SECONDS,
                   env=tool.environment)
    tool.machine.wait_until(lambda: "before" in tool.run("logs", name), what="its line")
    with tool.on_terminal("logs", "-f", "-n", 1, name) as terminal:
        terminal.expect("before\r\n")
        subprocess.run([TOOL, "attach", name], input=b"followed 1\n", check=True, timeout=SECONDS,
                       env=tool.environment)
        terminal.expect("followed 1\r\n")
        terminal.type("\x03")
        assert terminal.end() == 32


def test_control_characters_do_not_reach_the_terminal(tool, echo):
    _, numbers = tool.make(image=echo)
    evil = b"\x1b]0;title\x07\x1b[2J\xc2\x9b31m\r\x08\xff\xe2\x80\xae\n"
    subprocess.run([TOOL, "attach", str(numbers[0])], input=evil, check=True, timeout=SECONDS,
                   env=tool.environment)
    tool.machine.wait_until(lambda: tool.run("logs", numbers[0]), what="its line")
    for shown in (tool.run("logs", numbers[0]), tool.run("logs", numbers[0], "--json")):
        assert "title" in shown
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown), repr(shown)


# --- live


def test_events(tool, echo):
    name, numbers = tool.make(image=echo)
    subprocess.run([TOOL, "attach", name], input=b"exit 3\n", check=True, timeout=SECONDS,
                   env=tool.environment)
    tool.machine.wait_until(lambda: tool.json("inspect", name)["state"] == "dead", what="its end")
    tool.run("start", name)
    text = tool.run("events")
    assert re.search(rf"^ +\d+\.\d+ {name} created", text, re.M)
    assert re.search(rf"^ +\d+\.\d+ {name} exited with status 3", text, re.M)
    events = [json.loads(line) for line in tool.run("events", "--json").splitlines()]
    mine = [e["data"]["kind"] for e in events if e["data"].get("number") == numbers[0]]
    assert mine == ["created", "exited", "started"]
    assert "machine" not in {e["event"] for e in events}


def test_events_follow(tool):
    with tool.on_terminal("events", "-f", "--json") as terminal:
        deadline = time.monotonic() + SECONDS
        while "created" not in terminal.text and time.monotonic() < deadline:
            name, _ = tool.make()  # it may not be listening yet
            tool.run("rm", name)
            if select.select([terminal.master], [], [], 0.2)[0]:
                terminal.text += os.read(terminal.master, 65536).decode()
        terminal.expect('"kind":"destroyed"')
        terminal.type("\x03")
        assert terminal.end() == 32


def test_top_in_batches(tool):
    tool.make()
    pictures = tool.run("top", "--batch", "-n", 2, "-d", 1, "--rows", 3).split("\n\nup ")
    assert len(pictures) == 2
    assert re.search(r"^NUMBER +NAME +STATE +CPU +%CPU ", pictures[1], re.M)
    assert re.search(r"^CPU  0: +\d+ %", pictures[1], re.M)
    assert re.search(r"^ +1 +supervisor/1 +\S+ +0 +\d+\.\d ", pictures[1], re.M)
    picture = json.loads(tool.run("top", "--json", "-n", 1, "--sort", "uss", "--rows", 2))
    assert picture["machine"]["memory"]["ram_bytes"] == 256 << 20 and len(picture["vms"]) == 2


def test_top_on_a_terminal(tool):
    with tool.on_terminal("top", "-d", 60, columns=100, lines=20) as terminal:
        terminal.expect("sorted by cpu.*supervisor/1|supervisor/1.*sorted by cpu")
        at = len(terminal.text)
        terminal.type("u")
        terminal.expect("uss", at)  # at once, not after a minute
        terminal.type("q")
        assert terminal.end() == CLEAN


# --- deployments


DEPLOYMENT = """/dts-v1/;
/ {
	compatible = "toklat,deployment-v1";
	first {
		compatible = "toklat,group";
		image = "echo.elf";
		peers = <&second &web>;
		instances = <COUNT>;
		start = "boot";
	};
	second: second {
		compatible = "toklat,group";
		image = "echo.elf";
		reserve = <4>;
	};
	web: web {
		compatible = "toklat,group";
		image = "httpd.elf";
		instances = <2>;
	};
};
"""


def test_up(tool, tmp_path):
    source = tmp_path / "mine.dts"
    source.write_text(DEPLOYMENT)
    (tmp_path / "echo.elf").write_bytes(ECHO.read_bytes())
    text = tool.run("up", source, "-DCOUNT=2")
    assert text.index("second: ") < text.index("first: ")  # a peer is there first
    assert "web: there already\n" in text and "first: 2 VMs started\n" in text
    assert {s for n, s in tool.states("--image", "first").items()}.isdisjoint({"defined"})
    groups = {g["name"]: g for g in tool.json("up", source, "-DCOUNT=2")["groups"]}
    assert {g["image"] for g in groups.values()} == {"present"}
    assert {g["created"] for g in groups.values()} == {0}
    tool.run("rm", "first/1")
    assert "first: 1 VM started\n" in tool.run("up", source, "-DCOUNT=2")
    source.write_text(DEPLOYMENT.replace("httpd.elf", "echo.elf"))
    assert "web: image: echo.elf" in tool.run("up", source, "-DCOUNT=2", code=REFUSED)


def test_up_of_what_is_no_deployment(tool, tmp_path):
    source = tmp_path / "bad.dts"
    assert "No such file" in tool.run("up", source, code=OPERATIONAL)
    source.write_text("/dts-v1/; / { compatible = \"x\"; };\n")
    assert "toklat,deployment-v1" in tool.run("up", source, code=OPERATIONAL)
    source.write_text("nonsense\n")
    assert "dtc" in tool.run("up", source, code=OPERATIONAL)
    source.write_text(DEPLOYMENT.replace("echo.elf", "absent.elf").replace("first {", "third {"))
    assert "absent.elf" in tool.run("up", source, "-DCOUNT=1", code=OPERATIONAL)


# --- completion


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_scripts_parse(shell, tmp_path):
    script = subprocess.run([TOOL, "completion", shell], capture_output=True, text=True,
                            check=True).stdout
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "script"
    path.write_text(script)
    done = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr


def test_completion_offers_what_there_is(tool):
    def words(*typed):
        return tool.run("completion", "words", *typed).split()

    assert words("re") == ["resume", "restart"]
    assert words("run", "w") == ["web"]
    assert words("pause", "we") == ["web/"]
    assert words("footprint", "--image", "por") == ["portal"]
    assert "--no-start" in words("run", "--")
    assert words("store", "ex") == ["export"]


def test_completion_in_bash(tool):
    script = (f"PATH={TOOL.parent}:$PATH; source <(toklat completion bash); "
              "COMP_WORDS=(toklat run w); COMP_CWORD=2; _toklat; echo \"${COMPREPLY[*]}\"")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True,
                          env=tool.environment)
    assert done.stdout == "web\n"


# --- a server that nobody should trust


FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066]")
EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m\r\x08\x7f\u202e\u2066"


class EvilServer:
    """Answers every request with the same status and body, once it is told them."""

    def __init__(self):
        self.status, self.body = 200, b""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            do_GET = do_POST = do_DELETE = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def ask(self, body, *arguments, status=200):
        """(exit code, stdout, stderr) of the command when that is what it is told."""
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        done = subprocess.run(
            [TOOL, *map(str, arguments)], capture_output=True, timeout=SECONDS, check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "TOKLAT_URL": self.url, "TOKLAT_TOKEN": "x", "LC_ALL": "C.UTF-8"},
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.fixture(scope="module", name="evil")
def evil_fixture():
    server = EvilServer()
    yield server
    server.server.shutdown()
    server.server.server_close()


def evil_members():
    """An object that passes for anything the API has, with text that nobody should show."""
    counts = {"live": 1, "defined": 1}
    vm = {"number": 7, "name": EVIL, "image": EVIL, "state": EVIL, "file": EVIL, "network": EVIL,
          "uss_bytes": 1, "rss_bytes": 1, "vms": counts, EVIL: EVIL, "first_vm": 1, "instances": 9}
    return {**vm, "vms": [vm], "images": [vm], "cpus": [], "version": EVIL, "abi": EVIL,
            "api": EVIL, "numbers": [[1, 2]], "count": 2, "next": None}


@pytest.mark.parametrize("command", [
    ("ps", "-a"), ("images",), ("inspect", 7), ("footprint",), ("footprint", "--by", "vm"),
    ("top", "--batch", "-n", "1"), ("run", "web"), ("pause", 7), ("version",), ("push", ECHO),
    ("logs", 7), ("clone", 7), ("set", "web", "weight=1"), ("completion", "words", "run", ""),
])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_nothing_shown_controls_the_terminal(evil, command, form):
    if command[0] == "completion" and form:
        pytest.skip("it has no JSON")
    for body in (evil_members(), json.dumps(evil_members(), ensure_ascii=False).encode()):
        for status in (200, 409):
            if status == 409:
                body = {"detail": EVIL, "field": EVIL, "value": EVIL, "limit": EVIL}
            _, out, err = evil.ask(body, *command, *form, status=status)
            assert not FORBIDDEN.search(out + err), out + err


def test_text_events_are_cleaned(evil):
    event = json.dumps({"kind": EVIL, "name": EVIL, "text": EVIL, "time_seconds": 1})
    body = f"event: vm\ndata: {event}\n\nevent: {EVIL}\ndata: {event}\n\n".encode()
    for form in ((), ("--json",)):
        code, out, err = evil.ask(body, "events", *form)
        assert code == CLEAN and "title" in out
        assert not FORBIDDEN.search(out + err), out + err


@pytest.mark.parametrize("body", [
    b"", b"nothing", b"[]", b"7", b"null", b"{", b"{}", b'{"vms":7,"images":7,"machine":7}',
    b'{"vms":[[[7]]],"images":[[7]],"cpus":[7]}', b'{"vms":[{"number":', b'{"vms":[7,"x",null]}',
    b"\xff\xfe", b'{"numbers":[7,[],["x"]]}', b'{"vms":[{"a":"' + b"x" * 5000 + b'"}]}',
])
def test_any_answer_is_survived(evil, body):
    for command in (("ps",), ("images",), ("inspect", 7), ("inspect", "web"), ("footprint",),
                    ("footprint", "--by", "vm"), ("top", "--batch", "-n", "1"), ("run", "web"),
                    ("pause", "web/*"), ("rm", 7), ("events",), ("set", "web", "weight=1"),
                    ("version",), ("push", ECHO, "--no-wait"), ("clone", 7)):
        for status in (200, 409):
            code, _, err = evil.ask(body, *command, status=status)
            assert code in (CLEAN, REFUSED, NOT_FOUND, OPERATIONAL), f"{command}: {code}: {err}"
            assert code != CLEAN or status == 200 or command == ("version",)


# --- many


def test_ps_of_many():
    """All of them within a second, a quarter of it this command's own; the best of some tries."""
    defines = {"RESERVE": 1, "SPARE": 1}
    with Machine("dts/web.dts", vms=MANY, mem="512M", defines=defines, api=True) as machine:
        machine.wait_for_api()
        tool = Tool(machine)
        wall, own = [], []
        for _ in range(5):
            before, begun = os.times(), time.monotonic()
            lines = tool.run("ps", "-a").count("\n")
            wall.append(time.monotonic() - begun)
            after = os.times()
            own.append(after.children_user + after.children_system
                       - before.children_user - before.children_system)
            assert lines == MANY + 3  # two more VMs, and the head
        assert min(wall) <= 1, wall
        assert min(own) <= 0.25, own
        assert len(tool.json("ps", "-a")["vms"]) == MANY + 2
