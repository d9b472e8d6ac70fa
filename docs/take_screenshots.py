"""Screenshots of the page: compare, enrol and identify, routing.

    python docs/take_screenshots.py --same a1.wav a2.wav \\
        --other b.wav [--model <package>] [--report routing.json]

 * drives the page as tests/app/test_browser.py does; needs chromium and
   `pip install playwright`
 * writes app_compare.png, app_identify.png and app_routing.png to docs/figures

Authors
 * The speechbrain_moe developers 2026
"""

import argparse
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

FIGURES = Path(__file__).parent / "figures"
PORT = 7869
WIDTH = 1000
WAIT_MS = 120_000


def serve(model, report):
    """Start the page in a process of its own, and wait until it listens."""
    program = Path(sys.executable).with_name("speechbrain-moe")
    command = [program, "app", "--port", str(PORT)]
    command += ["--model", model] if model else []
    command += ["--report", report] if report else []
    server = subprocess.Popen(command)
    while server.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", PORT)) == 0:
                return server
        time.sleep(0.5)
    raise SystemExit("the page did not start")


def drop(page, place, files):
    """Give files to an input, and wait until the server has them."""
    with page.expect_response(lambda answer: "/upload?" in answer.url):
        page.set_input_files(f"#{place} input[type=file]", files)
    page.wait_for_timeout(1000)


def shoot(page, name):
    """Save the whole page as a picture."""
    height = page.evaluate("document.body.scrollHeight")
    # A frame below the window's edge would stay blank
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_timeout(1500)  # pictures and waveforms are drawn
    page.screenshot(path=FIGURES / f"app_{name}.png", full_page=True)
    page.set_viewport_size({"width": WIDTH, "height": 800})


def compare(page, enrol, test):
    """The tab that compares."""
    drop(page, "first", enrol)
    drop(page, "second", test)
    page.click("#compare")
    page.wait_for_selector("#decision .verdict")
    shoot(page, "compare")


def identify(page, people, test):
    """The tab that enrols people and identifies one of them."""
    page.click("role=tab[name='Enrol and identify']")
    for name, file in people.items():
        page.fill("#name textarea, #name input", name)
        drop(page, "enrol-voice", file)
        page.click("#enrol")
        page.wait_for_selector(f"#enrolment >> text={name},")
        page.click("#enrol-voice [aria-label=Clear]")
    drop(page, "unknown-voice", test)
    page.click("#identify")
    page.wait_for_selector("#identity .verdict")
    shoot(page, "identify")


def routing(page, files):
    """The tab that shows experts."""
    page.click("role=tab[name='Routing']")
    drop(page, "route-files", files)
    page.click("#route")
    page.wait_for_selector("#weights table")
    shoot(page, "routing")


def main():
    """Take all pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--same", nargs=2, required=True, help="two recordings of one person")
    add("--other", required=True, help="a recording of another person")
    add("--model", help="as for the command app")
    add("--report", help="routing.json to show")
    given = parser.parse_args()
    server = serve(given.model, given.report)
    try:
        with sync_playwright() as runner:
            browser = runner.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--headless", "--no-sandbox", "--disable-gpu"],
            )
            page = browser.new_page(viewport={"width": WIDTH, "height": 800})
            page.set_default_timeout(WAIT_MS)
            page.goto(f"http://127.0.0.1:{PORT}")
            one, two = given.same
            compare(page, one, two)
            identify(page, {"Ann": one, "Ben": given.other}, two)
            routing(page, [one, two, given.other])
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
