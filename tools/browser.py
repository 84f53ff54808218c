# SPDX-License-Identifier: BSD-2-Clause
"""Headless Chromium at the dashboard of a machine.

    with Browser(machine, width=1440, height=1000) as browser:
        browser.open()
        browser.wait_for_text("link", "live")

Every wait is for a condition and has a limit.
"""

import base64
import contextlib
import os
import time

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

WAIT_SECONDS = 60
POLL_SECONDS = 0.05
CSS_SELECTOR = "css selector"


class BrowserError(AssertionError):
    """The page did not do what was waited for."""


class Browser:
    """One Chromium with one page, from `with` to its end."""

    def __init__(self, machine, width=1440, height=1000, dark=False):
        self.machine = machine
        options = webdriver.ChromeOptions()
        # As root Chromium has no sandbox; of shared memory a container may have little.
        for flag in ["headless=new", "disable-gpu", "hide-scrollbars", "disable-dev-shm-usage",
                     *(["no-sandbox"] if os.geteuid() == 0 else [])]:
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self._options = options
        self._size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._dark = dark
        self.driver = None

    def __enter__(self):
        self.driver = webdriver.Chrome(
            options=self._options, service=Service("/usr/bin/chromedriver")
        )
        self.driver.set_page_load_timeout(WAIT_SECONDS)
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", self._size)
        self.prefer(self._dark)
        return self

    def __exit__(self, kind, error, trace):
        self.driver.quit()

    def prefer(self, dark):
        """Sets what the page is told of the reader's choice of dark or light."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def open(self, token=True):
        fragment = f"#token={self.machine.token}" if token else ""
        self.driver.get(f"{self.machine.api_url}/{fragment}")

    def run(self, script, *arguments):
        """What `script`, the body of a function, returns."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.textContent", selector)

    def find(self, selector):
        return self.driver.find_element(CSS_SELECTOR, selector)

    def click(self, selector):
        self.wait_until(lambda: self.find(selector).is_enabled(), f"{selector} to be enabled")
        self.find(selector).click()

    def keys(self, *keys):
        """Types into whatever has the focus."""
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def wait_until(self, condition, what, timeout=WAIT_SECONDS):
        """Waits until `condition()` is true; that a node is not there yet is false."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(WebDriverException):
                result = condition()
                if result:
                    return result
            time.sleep(POLL_SECONDS)
        raise BrowserError(f"{what}: not within {timeout} s; the page says: "
                           f"{self.text('#link')}, {self.text('#lost')}, {self.text('#toast')}")

    def wait_for_text(self, selector, text, timeout=WAIT_SECONDS):
        self.wait_until(lambda: text in self.text(selector), f"{text!r} in {selector}", timeout)

    def errors(self):
        """What the console says that is worse than a remark, since the last call."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def screenshot(self, path):
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        path.write_bytes(base64.b64decode(shot["data"]))
