"""Chromium for tests: one a module, a page a test, and a picture of what was there when a test failed."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

PICTURES = Path(__file__).resolve().parents[1] / ".pytest_cache" / "screenshots"  # git ignores it
OPTIONS = "--no-sandbox --disable-quic --disable-background-networking --disable-component-update --disable-sync --no-first-run"
SECONDS = 120  # much longer than anything takes where the machine does nothing else
expect.set_options(timeout=SECONDS * 1000)


def chromium():
    """Yield the browser; for a fixture of a module."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        pytest.fail("These tests need the browser Chromium: apt-get install chromium (as root), or Chrome.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=OPTIONS.split())
        yield browser
        browser.close()


def tab(browser, request, **context):
    """Yield a page whose `events` are all that it did besides being shown; for a fixture of a test."""
    page = browser.new_page(**context)
    page.set_default_timeout(SECONDS * 1000)
    page.events = watch(page)
    failed_before = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed_before:
        PICTURES.mkdir(parents=True, exist_ok=True)
        picture = PICTURES / (re.sub(r"[^\w.-]+", "_", request.node.nodeid) + ".png")
        page.screenshot(path=picture, full_page=True)
        print(f"What the page {page.url} looked like: {picture}")
    page.close()


def watch(page):
    """A list in which dialogs, windows, errors and requests to other machines will be written, as they come."""
    events = []

    def told(request):
        """A request that has ended; one that the page's policy forbids ends before it is sent."""
        if request.failure != "csp" and not re.match(r"(data|blob|file|about):|(http|ws)://127\.0\.0\.1:\d+/", request.url):
            events.append(f"request: {request.url[:200]}")

    page.on("requestfinished", told)
    page.on("requestfailed", told)
    page.on("dialog", lambda dialog: (events.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("popup", lambda popup: events.append(f"window: {popup.url}"))
    page.on("pageerror", lambda error: events.append(f"error: {error}"))
    page.on("console", lambda message: events.append(f"console: {message.text}") if message.type == "error" else None)
    return events
