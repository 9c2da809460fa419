"""Opens a page in headless Chromium over its DevTools protocol, and tells what stands there.

    browser.py CHROMIUM LOGIN_URL PAGE_URL SELECTOR WANTED SCREENSHOT

Logs in, opens the page, waits until the elements of SELECTOR hold WANTED, and prints their text as JSON.
"""

import json
import pathlib
import base64
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

import websocket

WAIT_S = 100


class Page:
    def __init__(self, address):
        self.socket = websocket.create_connection(address, timeout=WAIT_S, suppress_origin=True)
        self.number = 0

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def value(self, expression):
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    def until(self, expression, what):
        end = time.monotonic() + WAIT_S
        while not (found := self.value(expression)):
            if time.monotonic() > end:
                raise RuntimeError(f"{what} is not there: {self.value('document.body.innerText')!r}")
            time.sleep(0.2)
        return found


def main(chromium, login, page_url, selector, wanted, screenshot):
    with tempfile.TemporaryDirectory() as folder:
        browser = subprocess.Popen(
            [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1000,700",
             "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"],
            stderr=subprocess.PIPE, text=True,
        )
        try:
            for line in browser.stderr:
                if address := re.search(r"DevTools listening on ws://([^/]+)/", line):
                    break
            pages = json.load(urllib.request.urlopen(f"http://{address[1]}/json/list"))
            page = Page(next(found["webSocketDebuggerUrl"] for found in pages if found["type"] == "page"))
            page.call("Page.enable")
            page.call("Page.navigate", url=login)
            page.until("document.readyState == 'complete'", "the page of the login")
            # As the form does it, whatever it looks like in this version.
            form = "new URLSearchParams({username: 'admin', password: 'admin'})"
            done = f"fetch({json.dumps(login)}, {{method: 'POST', body: {form}}}).then(() => window.done = true); true"
            page.value(done)
            page.until("window.done", "the login")
            page.call("Page.navigate", url=page_url)
            texts = f"[...document.querySelectorAll({json.dumps(selector)})].map(found => found.innerText.trim())"
            page.until(f"{texts}.join('|').includes({json.dumps(wanted)})", wanted)
            found = page.value(texts)
            # The chart may still move into its place.
            time.sleep(1)
            picture = page.call("Page.captureScreenshot", format="png")["data"]
            pathlib.Path(screenshot).write_bytes(base64.b64decode(picture))
            print(json.dumps(found))
        finally:
            browser.terminate()
            browser.wait(20)


main(*sys.argv[1:])
