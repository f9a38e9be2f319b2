"""Chromium without a window, told what to do through a pipe (the DevTools protocol): what a page looks like, and what is wrong with it."""
import base64
import contextlib
import json
import os
import select
import subprocess

from harness.process import PATIENCE

PROGRAM = "chromium"


class Chromium:
    """One browser with one page. `javascript` and `dark` can be changed between two visits."""

    def __init__(self, directory):
        self.directory = directory
        self.number = 0
        self.events = []
        self.rest = b""

    def __enter__(self):
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def descriptors():
            """The browser reads 3 and writes 4."""
            low, high = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(low, 3)
            os.dup2(high, 4)
        self.process = subprocess.Popen(
            [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run", "--disable-extensions",
             "--disable-background-networking", "--hide-scrollbars", "--force-color-profile=srgb", "--disable-dev-shm-usage",
             f"--user-data-dir={self.directory}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=descriptors, close_fds=False,
            env={**os.environ, "HOME": str(self.directory)}, start_new_session=True)
        os.close(theirs_in)
        os.close(theirs_out)
        self.reader, self.writer = ours_in, ours_out
        self.session = None
        target, = [each for each in self("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        self.session = self("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self(f"{domain}.enable")
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):
            self.session = None
            self("Browser.close")
        self.process.kill()
        self.process.wait()
        os.close(self.reader)
        os.close(self.writer)

    def __call__(self, method, **parameters):
        """Calls a method of the protocol and returns its result; what happens meanwhile is kept in `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.writer, json.dumps(message).encode() + b"\0") if len(json.dumps(message)) < 60000 else self.write_long(message)
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def write_long(self, message):
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.writer, data):]

    def read(self):
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.reader], [], [], PATIENCE)
            assert ready, "the browser says nothing"
            data = os.read(self.reader, 1 << 20)
            assert data, "the browser has gone"
            self.rest += data
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def look(self, width=1280, height=900, dark=False, javascript=True):
        """How the pages are looked at from now on."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self("Emulation.setScriptExecutionDisabled", value=not javascript)

    def visit(self, url):
        """Goes there and waits until everything has come. Returns the status."""
        self.events.clear()
        self("Page.navigate", url=url)
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.read())
        return next(event["params"]["response"]["status"] for event in self.events
                    if event.get("method") == "Network.responseReceived" and event["params"]["type"] == "Document")

    def complaints(self):
        """What the browser has to say against the page: errors of scripts, what the policy forbids, what did not come."""
        return [event["params"] for event in self.events
                if event.get("method") in ("Runtime.exceptionThrown", "Network.loadingFailed") or
                (event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] in ("error", "warning"))]

    def run(self, expression):
        """The value of a JavaScript expression; a promise is waited for."""
        result = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def screenshot(self, whole=False):
        """A PNG of what is seen, or of the whole page."""
        return base64.b64decode(self("Page.captureScreenshot", format="png", captureBeyondViewport=whole,
                                     **({"clip": self.extent()} if whole else {}))["data"])

    def extent(self):
        size = self("Page.getLayoutMetrics")["cssContentSize"]
        return {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
