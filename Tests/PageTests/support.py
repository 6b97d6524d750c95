"""A server with the small real model, and a browser that looks at it."""

import contextlib
import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request


CHECKS = []
LONG = "Tell me a very long story about a bird that crosses the sea, with many chapters."
PHONE = {"viewport": {"width": 390, "height": 800}, "is_mobile": True, "has_touch": True}
# What a browser notes of a response that is an error, and of a server that is away.
FAILED = ("Failed to load resource", "ERR_")


def check(function):
    CHECKS.append(function)
    return function


class Server:
    """The built command, with a database of its own."""

    def __init__(self, command, model, data, *arguments, port=0):
        self.command, self.model, self.data, self.arguments = command, model, data, arguments
        self.port = port
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [self.command, "serve", self.model, "--port", str(self.port), "--data", self.data, *self.arguments],
            stderr=subprocess.PIPE, text=True)
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("message") == "listening":
                # It is found at the same address when it is started again.
                self.port, self.name = int(entry["port"]), entry["models"]
                self.url = f"http://127.0.0.1:{self.port}"
                break
        else:
            raise SystemExit("the server did not start:\n" + "".join(self.log))
        # A pipe that nobody reads would stop the server one day.
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=60)

    def request(self, method, path, body=None, key=None):
        """Status and JSON, or text where it is none."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode() if body is not None else None, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                status, text = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def keep_chat(self, id, title, messages):
        """A chat as the page would keep it: `(role, content, details)` one after the other."""
        assert self.request("PUT", f"/api/chats/{id}", {"title": title, "settings": {"model": self.name}})[0] == 200
        parent = None
        for index, (role, content, details) in enumerate(messages):
            body = {"parent": parent, "role": role, "content": content, "details": details}
            assert self.request("PUT", f"/api/chats/{id}/messages/m{index}", body)[0] == 200
            parent = f"m{index}"

    def metric(self, name):
        for line in self.request("GET", "/metrics")[1].splitlines():
            if line.startswith(name):
                return float(line.rsplit(" ", 1)[1])
        return None


def eventually(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("this did not come to be within " + str(seconds) + " s")


def give(*keys):
    """Answers the page's questions for a key."""
    def answer(page):
        for key in keys:
            # After a wrong key the next dialog follows at once.
            field = page.wait_for_selector("dialog input[type=password]")
            field.fill(key)
            field.press("Enter")
            field.wait_for_element_state("hidden")
    return answer


class Visitor:
    """A page in a browser profile of its own. Whatever a script shows or breaks is remembered, and `close` complains about it."""

    def __init__(self, browser, url, allowed=(), **options):
        options = {"viewport": {"width": 1180, "height": 760}, "locale": "en-US", "accept_downloads": True, **options}
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.url, self.allowed = url, allowed
        self.troubles = []
        self.page.on("dialog", self.on_dialog)
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("console", self.on_console)
        self.page.on("request", self.on_request)

    def on_dialog(self, dialog):
        self.troubles.append(f"a script showed a dialog: {dialog.message}")
        dialog.dismiss()

    def on_console(self, message):
        if message.type == "error" and not any(text in message.text for text in self.allowed):
            self.troubles.append(f"console: {message.text}")

    def on_request(self, request):
        if not request.url.startswith((self.url, "blob:", "data:")):
            self.troubles.append(f"a request to elsewhere: {request.url}")

    def open(self, path="/", opens=None):
        self.page.goto(self.url + path)
        if opens:
            opens(self.page)
        self.page.wait_for_selector("body.ready" if not path.startswith("/dashboard") else "#state:not(:empty)")
        return self

    def reload(self):
        self.page.reload()
        self.page.wait_for_selector("body.ready")

    def ask(self, text, waits=True):
        answers = self.page.locator(".of-model").count()
        self.page.fill("#prompt", text)
        self.page.press("#prompt", "Enter")
        self.page.wait_for_function("n => document.querySelectorAll('.of-model').length > n", arg=answers)
        if waits:
            self.wait()

    def wait(self):
        """Until no answer is in progress."""
        self.page.wait_for_function("() => !document.querySelector('[aria-busy=true]')", timeout=120_000)

    def answer(self, index=-1):
        answers = self.page.locator(".of-model .bubble .text")
        return answers.nth(index if index >= 0 else answers.count() + index).inner_text()

    def set(self, **settings):
        """Changes settings of the chat in their dialog."""
        self.page.click("#settings")
        for name, value in settings.items():
            field = self.page.locator(f"dialog [data-setting={name}]")
            if name == "json":
                field.set_checked(value)
            elif name == "thinking":
                field.select_option(value)
            else:
                field.fill(str(value))
        self.page.click("dialog .button.primary")
        self.page.wait_for_selector("dialog", state="detached")

    def close(self):
        self.context.close()
        assert not self.troubles, "\n".join(self.troubles)


@contextlib.contextmanager
def visit(browser, url, path="/", allowed=(), opens=None, **options):
    """A visitor whose page is open. `allowed`: parts of what the console may complain about; `opens`: does what the page wants first."""
    visitor = Visitor(browser, url, allowed, **options)
    try:
        yield visitor.open(path, opens)
    except BaseException:
        visitor.context.close()
        raise
    visitor.close()
