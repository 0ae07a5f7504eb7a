"""A headless browser for the tests of the page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from harness import DEADLINE
from playwright.sync_api import Browser, BrowserType, Error, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# WebGL without a GPU; a container has no sandbox
FLAGS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-sandbox"]
# the plots are canvases, too
SCENE = "canvas[data-engine]"
SMALL, LARGE = (1100, 400), (1400, 850)


def launch(kind: BrowserType) -> Browser:
    """Chromium of the system, or the one that Playwright has installed; the test is skipped without one."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    try:
        return kind.launch(executable_path=path, args=FLAGS, timeout=1e3 * DEADLINE)
    except Error:
        pytest.skip("no Chromium is installed: apt install chromium, or playwright install chromium")


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """A browser; see `launch`. A process can have one of these at a time."""
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        yield browser
        browser.close()


def open_page(browser: Browser, url: str, size: tuple[int, int] = SMALL) -> Page:
    """The page at an address, once its scene and its panel are there; without a GPU, pixels cost time."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.set_default_timeout(1e3 * DEADLINE)
    page.goto(url)
    page.wait_for_selector(SCENE)
    page.get_by_text("E-STOP").first.wait_for()
    return page
