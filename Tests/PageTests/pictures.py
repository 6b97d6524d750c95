"""Makes the pictures of docs/images with the small real model, whose answers are shown as they came.

    python3 Tests/PageTests/pictures.py --swiftlet .build/release/swiftlet [--chromium /usr/bin/chromium]

Needs the packages playwright and pillow.
"""

import argparse
import concurrent.futures
import io
import json
import pathlib
import shutil
import subprocess
import tempfile
import time

from PIL import Image
from playwright.sync_api import sync_playwright

from support import Server, give, visit

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "images"
LARGEST = 150_000
DESKTOP = {"viewport": {"width": 1180, "height": 860}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


def keep(page, name):
    """A picture of at most 256 colours, which is enough for a page."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(400)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    path = FOLDER / f"{name}.png"
    picture.save(path, optimize=True)
    assert path.stat().st_size < LARGEST, f"{path} has {path.stat().st_size} bytes"


def load(server, keys, seconds):
    """Requests of several users, some at once, so that the dashboard has something to show; they go on after the end."""
    def ask(number):
        body = {
            "model": server.name, "max_tokens": 40 + number * 37 % 160, "temperature": 0.7, "seed": number,
            "messages": [{"role": "user", "content": f"Tell me something about the number {number}."}],
        }
        server.request("POST", "/v1/chat/completions", body, key=keys[number % 5 % len(keys)])
    end = time.monotonic() + seconds
    number = 0
    pool = concurrent.futures.ThreadPoolExecutor(12)
    while time.monotonic() < end:
        for _ in range(1 + number % 4):
            pool.submit(ask, number)
            number += 1
        time.sleep(4 if number % 30 < 20 else 12)
    for more in range(6):
        pool.submit(ask, number + more)
    return pool


def make_key(command, data, name, *options):
    made = subprocess.run([command, "keys", "create", "--data", data, "--json", name, "--balance", "5", *options], capture_output=True, text=True, check=True)
    return json.loads(made.stdout)["key"]


def show_dashboard(browser, command, seconds):
    """The dashboard of a server with keys and prices."""
    with tempfile.TemporaryDirectory() as data:
        config = pathlib.Path(data) / "config.json"
        config.write_text(json.dumps({"prices": {"*": {"cache_hit": 0.014, "cache_miss": 0.14, "output": 0.28}}}))
        keys = [make_key(command, data, "ada", "--admin"), make_key(command, data, "grace"), make_key(command, data, "alan")]
        server = Server(command, "smollm2", data, "--parallel", "8", "--config", str(config))
        try:
            pool = load(server, keys, seconds)
            # A browser notes the answer 401 that has the page ask for a key.
            with visit(browser, server.url, "/dashboard", allowed=("401",), opens=give(keys[0]), viewport={"width": 1180, "height": 1120}) as visitor:
                visitor.page.wait_for_selector(".plot .line[d*=L]", state="attached")
                visitor.page.wait_for_function("() => parseFloat(document.querySelector('.plot-value').textContent) > 0")
                keep(visitor.page, "dashboard")
            pool.shutdown()
        finally:
            server.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--swiftlet", required=True)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--seconds", type=int, default=560, help="of load before the picture of the dashboard, which shows ten minutes; 0 leaves it out")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        server = Server(arguments.swiftlet, "smollm2", data)
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        try:
            with visit(browser, server.url, **DESKTOP) as visitor:
                page = visitor.page
                visitor.set(temperature=0)
                for question in ["What is the capital of France?", "Name three colours.", "Write a Python function that returns the n-th Fibonacci number."]:
                    page.click("#new-chat")
                    visitor.ask(question)
                address = page.url.split("#")[1]
                page.focus("#prompt")
                keep(page, "chat-light")
            with visit(browser, server.url, f"/#{address}", color_scheme="dark", **DESKTOP) as visitor:
                visitor.page.wait_for_selector(".of-model")
                keep(visitor.page, "chat-dark")
            with visit(browser, server.url, f"/#{address}", **PHONE) as visitor:
                visitor.page.wait_for_selector(".of-model")
                visitor.page.evaluate("document.querySelector('#scroller').scrollTo(0, 0)")
                keep(visitor.page, "chat-phone")
            with visit(browser, server.url, locale="zh-CN", **DESKTOP) as visitor:
                visitor.page.wait_for_selector("#chats li")
                keep(visitor.page, "chat-chinese")
            if arguments.seconds > 0:
                show_dashboard(browser, arguments.swiftlet, arguments.seconds)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
