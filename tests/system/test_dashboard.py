# SPDX-License-Identifier: BSD-2-Clause
"""The dashboard in headless Chromium: it loads without a complaint, shows what the API says, goes
on by itself after the supervisor was away, and pauses and deletes VMs once that is confirmed, with
the pointer and by keyboard alone; in dark and light, wide and narrow."""

import contextlib
import http.client
import json
import re
import subprocess

import pytest
from selenium.webdriver.common.keys import Keys

from browser import Browser
from machine import ROOT, Machine

pytestmark = pytest.mark.own_machine

PAGE = ROOT / "guests/supervisor/page/dashboard.html"
GZIP_LIMIT = 20 * 1024  # bytes
VMS = 2000
TALKED_TO = 30
STATES = {"d": "defined", "s": "stored", "i": "idle", "r": "runnable", "R": "running",
          "w": "waiting", "p": "paused", "x": "dead"}
PARTS = ["el2", "shared", "private", "stage2", "stubs", "descriptors", "free"]
CONTRAST = 4.5  # WCAG 2.1, 1.4.3 (AA)
RESTART_SECONDS = 60

# Each element that shows text of its own, its colour, and that of the nearest painted background.
COLOURS = """
const painted = node => {
  for (; node; node = node.parentElement) {
    const colour = getComputedStyle(node).backgroundColor;
    if (colour !== 'rgba(0, 0, 0, 0)') return colour;
  }
  return 'rgb(255, 255, 255)';
};
return [...document.querySelectorAll('body *')].filter(node => node.checkVisibility() &&
  !node.disabled && !node.closest('.sr') && [...node.childNodes].some(child =>
    child.nodeType === 3 && child.data.trim())).map(node => [node.textContent.slice(0, 40),
  getComputedStyle(node).color, painted(node)]);
"""


@pytest.fixture(scope="module", name="machine")
def machine_fixture():
    with Machine("dts/web.dts", vms=VMS, defines={"RESERVE": 100, "SPARE": 10},
                 api=True) as machine:
        machine.wait_for_api()
        machine.wait_until_serving()
        machine.status_of_all(TALKED_TO)
        yield machine


@pytest.fixture(scope="module", name="chromium")
def chromium_fixture(machine):
    with Browser(machine) as browser:
        yield browser


@pytest.fixture(name="browser")
def browser_fixture(chromium):
    """The page, just loaded, and connected."""
    chromium.open(token=False)
    chromium.open()
    chromium.driver.refresh()
    chromium.wait_for_text("#link", "live")
    chromium.wait_until(lambda: number(chromium, "#n-defined") > 0, "the map")
    yield chromium
    assert chromium.errors() == []


def ask(machine, method, path, body=None):
    status, _, answer = machine.api(method, path, body)
    assert status < 300, f"{method} {path}: {status} {answer[:300]!r}"
    return json.loads(answer) if answer else None


def number(browser, selector):
    return int((browser.text(selector) or "0").replace(",", ""))


def state_of(machine, vm):
    return ask(machine, "GET", f"/v1/vms/{vm}")["state"]


def counts(machine):
    """VMs by state, of the API's map."""
    found = dict.fromkeys(STATES.values(), 0)
    for image in ask(machine, "GET", "/v1/map")["images"]:
        for run, letter in re.findall(r"(\d+)(.)", image["states"]):
            if letter != "-":
                found[STATES[letter]] += int(run)
    return found


def open_vm(browser, name):
    browser.run("document.querySelector('#where').value = ''")
    browser.find("#where").send_keys(name, Keys.ENTER)
    browser.wait_until(lambda: browser.run("return document.activeElement.id") == "cells",
                       "the map to have the focus")
    browser.keys(Keys.ENTER)
    browser.wait_for_text("#vm-name", name)


def confirm(browser, action):
    browser.click(f"#do-{action}")
    browser.click("body > dialog:last-of-type .main")


# The file.

def test_page_is_small_and_puts_nothing_in_as_html():
    text = PAGE.read_text()
    packed = subprocess.run(["gzip", "-9nc", PAGE], capture_output=True, check=True).stdout
    assert len(packed) <= GZIP_LIMIT
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|"
                         r"new Function|srcdoc", text)
    assert not re.search(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", text)


# True numbers.

def test_address_bar_keeps_no_token(browser, machine):
    assert browser.run("return location.href") == f"{machine.api_url}/"
    assert machine.token not in browser.run("return document.documentElement.outerHTML")


def test_without_a_token_the_page_asks(machine):
    with Browser(machine) as browser:
        browser.open(token=False)
        browser.wait_until(lambda: browser.find("dialog[open] [name=token]"), "the form")
        browser.keys("f" * 64, Keys.ENTER)
        browser.wait_for_text("dialog[open] .fault", "refused")
        browser.run("document.querySelector('[name=token]').value = ''")
        browser.find("[name=token]").send_keys(machine.token, Keys.ENTER)
        browser.wait_for_text("#link", "live")
        browser.driver.refresh()
        browser.wait_for_text("#link", "live")


def test_counts_by_state_are_those_of_the_api(browser, machine):
    def same():
        said = counts(machine)
        shown = {state: number(browser, f"#n-{state}") for state in said}
        said["resting"] = said.pop("idle") + said.pop("runnable") + said.pop("running")
        shown["resting"] = shown.pop("idle") + shown.pop("runnable") + shown.pop("running")
        return said == shown and sum(said.values()) == VMS + 2

    browser.wait_until(same, "the same counts")
    browser.wait_for_text("#figures", f"VMs{VMS + 2:,}")


def test_each_cell_has_the_colour_of_its_state(browser, machine):
    def same():
        vms = ask(machine, "GET", "/v1/vms?fields=brief&image=web&limit=100")["vms"]
        # Beside the letter, in a cell's lower right corner.
        painted = browser.run("""
            const {width, height} = canvas;
            // A copy each time: Chromium warns of a canvas that is read more than once.
            const copy = Object.assign(document.createElement('canvas'), {width, height});
            const context = copy.getContext('2d', {willReadFrequently: true});
            context.drawImage(canvas, 0, 0);
            const {data} = context.getImageData(0, 0, width, height);
            return arguments[0].map(number => {
              const [x, y] = middleOf(cellOf(number)).map(p => Math.floor(p + view.size * 0.4));
              return [...data.slice((y * width + x) * 4, (y * width + x) * 4 + 3)].join(', ');
            });""", [vm["number"] for vm in vms])
        legend = browser.run("""
            return Object.fromEntries([...document.querySelectorAll('#legend button')].slice(1)
              .map(button => [button.children[1].id.slice(2),
                getComputedStyle(button.firstChild).backgroundColor.slice(4, -1)]));""")
        return painted == [legend[vm["state"]] for vm in vms] and len(set(painted)) > 1

    browser.wait_until(same, "the colours of their states")


def test_memory_adds_up_and_is_that_of_the_api(browser, machine):
    def same():
        memory = ask(machine, "GET", "/v1/machine")["memory"]
        assert sum(memory[f"{part}_bytes"] for part in PARTS) == memory["ram_bytes"]
        shown = browser.run("return [...document.querySelectorAll('#memory tbody tr')]"
                            ".map(row => row.cells[1].textContent)")
        kib = [int(cell.replace(",", "")) for cell in shown]
        assert sum(kib[:-1]) == kib[-1] == memory["ram_bytes"] // 1024
        return kib[:-1] == [memory[f"{part}_bytes"] // 1024 for part in PARTS]

    browser.wait_until(same, "the same memory")
    assert browser.text("#memory .sum th") == "Sum = RAM"


def test_a_screen_reader_is_told_the_same(browser):
    browser.wait_for_text("#map-text", f"{VMS + 2:,} VMs of 3 images")
    browser.wait_until(lambda: f"{number(browser, '#n-idle')} idle" in browser.text("#map-text"),
                       "the same number of idle VMs")
    browser.run("document.querySelector('#cells').focus()")
    assert browser.find("#cells").get_attribute("aria-valuetext").startswith("supervisor/1, VM 1")
    browser.wait_until(lambda: browser.text("#bins td"), "the table of USS")
    unnamed = browser.run("""
        return [...document.querySelectorAll('section, button, input, select, canvas, dialog')]
          .filter(node => !(node.ariaLabel || node.getAttribute('aria-labelledby') ||
            node.closest('label') || node.textContent.trim())).map(node => node.outerHTML)""")
    assert unnamed == []


# What can be done.

def test_a_vm_is_paused_and_resumed_once_confirmed(browser, machine):
    open_vm(browser, "web/5")
    browser.click("#do-pause")
    browser.wait_for_text("body > dialog:last-of-type", "Pause web/5?")
    browser.keys(Keys.ESCAPE)
    browser.wait_until(lambda: browser.run(
        "return document.activeElement.id") == "do-pause", "the focus to come back")
    assert state_of(machine, 7) != "paused"
    confirm(browser, "pause")
    browser.wait_for_text("#vm-state", "paused")
    assert state_of(machine, 7) == "paused"
    confirm(browser, "resume")
    browser.wait_until(lambda: browser.text("#vm-state") in STATES.values() and
                       browser.text("#vm-state") != "paused", "it to go on")
    assert state_of(machine, 7) != "paused"


def test_a_vm_is_deleted_once_confirmed(browser, machine):
    assert state_of(machine, 8) == "idle"
    open_vm(browser, "web/6")
    confirm(browser, "delete")
    browser.wait_until(lambda: not browser.driver.find_elements("css selector", "dialog[open]"),
                       "the dialogs to close")
    assert state_of(machine, 8) == "defined"
    browser.wait_until(lambda: browser.find("#cells").get_attribute("aria-valuetext") ==
                       "web/6, VM 8, defined", "the map to show it")


def test_vms_are_created_and_a_refusal_is_shown(browser, machine):
    before = counts(machine)["defined"]
    browser.run("document.querySelector('#images').scrollIntoView()")
    browser.click("[aria-label='Create web']")
    browser.run("document.querySelector('[name=count]').value = 5;"
                "document.querySelector('[name=start]').checked = false")
    browser.click("body > dialog:last-of-type .main")
    browser.wait_for_text("#toast", "5 VMs created")
    assert counts(machine)["defined"] == before + 5
    browser.click("[aria-label='Create web']")
    browser.run("document.querySelector('[name=count]').value = 99999")
    browser.click("body > dialog:last-of-type .main")
    browser.wait_for_text("dialog[open] .fault", "409")
    browser.keys(Keys.ESCAPE)
    assert any("409" in error for error in browser.errors())


def test_keyboard_alone_is_enough(browser, machine):
    reached = []

    def tab_to(wanted):
        for _ in range(60):
            browser.keys(Keys.TAB)
            reached.append(browser.run("return document.activeElement.id"))
            assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") \
                != "none" or not reached[-1]
            if reached[-1] == wanted:
                return
        raise AssertionError(f"{wanted} is not reached: {reached}")

    browser.keys(Keys.TAB)
    assert browser.run("return document.activeElement.className") == "skip"
    tab_to("cells")
    browser.keys(Keys.HOME, Keys.ARROW_DOWN, Keys.ARROW_DOWN, *[Keys.ARROW_RIGHT] * 9)
    cell = browser.find("#cells")
    browser.wait_until(lambda: cell.get_attribute("aria-valuetext") == "web/10, VM 12, idle",
                       "the VM's cell to be chosen")
    before = browser.run("return view.size")
    browser.keys("+", "+")
    assert browser.run("return view.size") > before
    browser.keys("0", Keys.ENTER)
    browser.wait_for_text("#vm-state", "idle")
    browser.wait_until(lambda: browser.find("#do-pause").is_enabled(), "pause")
    tab_to("do-pause")
    browser.keys(Keys.ENTER, Keys.TAB, Keys.ENTER)
    browser.wait_for_text("#vm-state", "paused")
    assert state_of(machine, 12) == "paused"
    browser.keys(Keys.ESCAPE)
    browser.wait_until(lambda: browser.run("return document.activeElement.id") == "cells",
                       "the focus to come back to the map")


# Dark and light, wide and narrow.

def luminance(colour):
    """Relative luminance as WCAG 2.1 defines it."""
    channels = [int(float(c)) / 255 for c in re.findall(r"[\d.]+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [360, 1440])
def test_dark_and_light_can_be_read_on_wide_and_narrow(machine, width, dark):
    with Browser(machine, width=width, height=2400, dark=dark) as browser:
        browser.open()
        browser.wait_until(lambda: browser.text("#images tbody td"), "the images")
        browser.wait_until(lambda: browser.text("#memory .sum td"), "the memory")
        poor = [entry for entry in browser.run(COLOURS) if contrast(*entry[1:]) < CONTRAST]
        assert poor == []
        back = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert (luminance(back) < 0.1) == dark
        assert browser.run("return document.documentElement.scrollWidth") <= width
        assert browser.errors() == []


def test_the_button_chooses_the_theme(browser):
    def back():
        return luminance(browser.run("return getComputedStyle(document.body).backgroundColor"))

    assert back() > 0.5
    browser.click("#theme")
    browser.click("#theme")
    assert browser.text("#theme") == "Theme: dark" and back() < 0.1
    browser.driver.refresh()
    assert browser.text("#theme") == "Theme: dark" and back() < 0.1
    browser.wait_for_text("#link", "live")
    browser.click("#theme")
    assert back() > 0.5


# Last: it takes the supervisor away.

def test_page_goes_on_after_the_supervisor_was_restarted(browser, machine):
    browser.wait_until(lambda: browser.text("#figures dd"), "the figures")
    with contextlib.suppress(http.client.HTTPException):  # it may leave without an answer
        machine.api("POST", "/v1/vms/1/restart")
    browser.wait_until(lambda: browser.find("#banner").is_displayed(), "the banner",
                       RESTART_SECONDS)
    assert "The numbers shown are old" in browser.text("#alert")
    browser.wait_until(lambda: not browser.find("#banner").is_displayed(), "the connection",
                       RESTART_SECONDS)
    assert browser.text("#alert") == "The connection is back."
    state = state_of(machine, 20)
    ask(machine, "POST", "/v1/vms/20/pause")
    browser.wait_until(lambda: number(browser, "#n-paused") == counts(machine)["paused"] > 0,
                       f"the map to go on; VM 20 was {state}")
    browser.errors()  # those of the connection that was lost
