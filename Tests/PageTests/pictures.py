"""Makes the pictures of docs/images with the small real model, whose answers are shown as they came.

    python Tests/PageTests/pictures.py --swiftlet .build/release/swiftlet [--chromium /usr/bin/chromium]

Needs the packages playwright and pillow.
"""

import argparse
import concurrent.futures
import io
import pathlib
import shutil
import tempfile
import time

from PIL import Image
from playwright.sync_api import sync_playwright

from support import Server, visit

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


def load(server, seconds=150):
    """Requests, some at once, so that the dashboard has something to show."""
    def ask(number):
        body = {
            "model": server.name, "max_tokens": 40 + number * 37 % 160, "temperature": 0.7, "seed": number,
            "messages": [{"role": "user", "content": f"Tell me something about the number {number}."}],
        }
        server.request("POST", "/v1/chat/completions", body)
    end = time.monotonic() + seconds
    number = 0
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        while time.monotonic() < end:
            for _ in range(1 + number % 4):
                pool.submit(ask, number)
                number += 1
            time.sleep(4 if number % 30 < 20 else 12)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--swiftlet", required=True)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        server = Server(arguments.swiftlet, "smollm2", data, "--parallel", "8")
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        try:
            with visit(browser, server.url, **DESKTOP) as visitor:
                page = visitor.page
                visitor.set(temperature=0)
                for question in ["What is the capital of France?", "Name three colours.", "Write a Python function that checks whether a number is prime."]:
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
                keep(visitor.page, "chat-phone")
            with visit(browser, server.url, locale="zh-TW", **DESKTOP) as visitor:
                visitor.page.wait_for_selector("#chats li")
                keep(visitor.page, "chat-chinese")
            load(server)
            with visit(browser, server.url, "/dashboard", viewport={"width": 1180, "height": 1000}) as visitor:
                visitor.page.wait_for_selector(".plot .line")
                keep(visitor.page, "dashboard")
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
