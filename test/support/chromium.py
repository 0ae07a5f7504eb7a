"""A headless browser for the tests of the page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from harness import DEADLINE
from playwright.sync_api import Browser, Error, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# WebGL without a GPU; a container has no sandbox
FLAGS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-sandbox"]
SIZE = {"width": 1400, "height": 850}


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Chromium of the system, or the one that Playwright has installed; the test is skipped without one."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=1e3 * DEADLINE)
        except Error:
            pytest.skip("no Chromium is installed: apt install chromium, or playwright install chromium")
        yield browser
        browser.close()


def open_page(browser: Browser, url: str) -> Page:
    """The page at an address, once its scene and its panel are there."""
    page = browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
    page.set_default_timeout(1e3 * DEADLINE)
    page.goto(url)
    page.wait_for_selector("canvas")
    page.get_by_text("E-STOP").first.wait_for()
    return page
