"""Chromium without a screen, which tests drive by Selenium."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

__all__ = ["chromium"]


@contextmanager
def chromium(*options: str) -> Iterator[Chrome]:
    """Run Chromium; without it, skip the test, or fail if CI requires it.

    Debian's packages `chromium` and `chromium-driver` bring it, the extra `test` brings Selenium.
    """
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None or importlib.util.find_spec("selenium") is None:
        reason = "needs Selenium, and Debian's packages chromium and chromium-driver"
        if os.environ.get("CHATD_TOOLS") == "all":
            pytest.fail(reason)
        pytest.skip(reason)
    from selenium import webdriver  # it is not everywhere

    wanted = webdriver.ChromeOptions()
    wanted.binary_location = browser
    switches = (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--window-size=1200,900",
    )
    for each in (*switches, *options):
        wanted.add_argument(each)
    wanted.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    run = webdriver.Chrome(options=wanted, service=webdriver.ChromeService(driver))
    try:
        yield run
    finally:
        run.quit()
