"""Starts the program under test and stops it, and speaks plain HTTP with it.

FORGEMETER_BIN names the program; without it the debug build of this checkout is taken. A program that does not answer within its
deadline, or that ends by itself, fails the run with what it wrote.
"""

import http.client
import json
import os
import pathlib
import queue
import re
import subprocess
import tempfile
import threading
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = os.environ.get("FORGEMETER_BIN") or str(HERE.parent.parent / "target/debug/forgemeter")
ACCOUNTS = HERE / "accounts.toml"

READY_SECONDS = 180
COMMAND_SECONDS = 120
STOP_SECONDS = 30
ANSWER_SECONDS = 60
EXPORT_SECONDS = 120


def run(*arguments, stdin=""):
    """One command of the program; what it printed. Its failure is the caller's."""
    command = [PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=COMMAND_SECONDS)
    if done.returncode != 0:
        raise AssertionError(f"forgemeter {' '.join(command[1:])} ended with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


def wait_until(what, seconds, ask):
    """Asks again until the answer is there, within the deadline."""
    deadline = time.monotonic() + seconds
    while (answer := ask()) is None:
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} seconds")
        time.sleep(0.05)
    return answer


class Process:
    """A program that says in its first line that it is ready, and ends when it is asked to."""

    def __init__(self, *command):
        self.command = [str(word) for word in command]
        self.complaints = tempfile.TemporaryFile()
        self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.complaints, text=True)
        lines = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        try:
            self.first_line = lines.get(timeout=READY_SECONDS)
        except queue.Empty:
            self.child.kill()
            raise AssertionError(f"{self.command} was not ready within {READY_SECONDS} seconds: {self.said()}") from None
        if self.first_line is None:
            raise AssertionError(f"{self.command} ended with {self.child.wait()} before it was ready: {self.said()}")

    def _read(self, lines):
        """Reads to the end, so that the program never waits for a full pipe. The end counts as a line."""
        for line in self.child.stdout:
            lines.put(line.rstrip("\n"))
        lines.put(None)

    def said(self):
        self.complaints.seek(0)
        return self.complaints.read().decode(errors="replace")

    def stop(self):
        self.child.terminate()
        try:
            code = self.child.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise AssertionError(f"{self.command} did not stop within {STOP_SECONDS} seconds: {self.said()}") from None
        said = self.said()
        self.complaints.close()
        self.child.stdout.close()
        if code != 0:
            raise AssertionError(f"{self.command} ended with {code}: {said}")


class Server(Process):
    """A running `forgemeter serve`."""

    def __init__(self, folder, *options):
        super().__init__(PROGRAM, "serve", "--data", folder, "--listen", "127.0.0.1:0", *options)
        ready = re.fullmatch(r"listening on (http://127\.0\.0\.1:(\d+))", self.first_line)
        if not ready:
            self.child.kill()
            raise AssertionError(f"forgemeter serve began with: {self.first_line}")
        self.url = ready[1]
        self.port = int(ready[2])

    def call(self, method, path, token=None, body=None, headers=()):
        """An answer as it came over the wire: status, headers by lower-case name, bytes."""
        sent = {"User-Agent": "contract-run", **dict(headers)}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            try:
                connection.request(method, path, body, sent)
            except (BrokenPipeError, ConnectionResetError):
                pass  # A body may be refused before it was read; the answer says so.
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def send(self, token, events, query="", headers=()):
        """Sends usage events as one body, one event a line. An event may be text, then it is sent as it is."""
        lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
        body = "".join(line + "\n" for line in lines).encode()
        return self.call("POST", f"/v1/usage{query}", token, body, {"Content-Type": "application/x-ndjson", **dict(headers)})

    def completed_export(self, token, enterprise, report_id):
        """The finished export object."""
        path = f"/enterprises/{enterprise}/settings/billing/reports/{report_id}"

        def ask():
            export = self.call("GET", path, token).json(200)
            if export["status"] == "failed":
                raise AssertionError(f"the export failed: {export}")
            return export if export["status"] == "completed" else None

        return wait_until(f"export {report_id}", EXPORT_SECONDS, ask)

    def download(self, url):
        """A file behind a download link, without a token."""
        if not url.startswith(self.url + "/"):
            raise AssertionError(f"{url} does not lead to {self.url}")
        parts = urllib.parse.urlsplit(url)
        return self.call("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self, status):
        """The body, if the answer has this status."""
        if self.status != status:
            raise AssertionError(f"answered {self.status}, not {status}: {self.body[:2000]!r}")
        return json.loads(self.body)


class Folder:
    """A data folder with the accounts of accounts.toml, which vanishes at the end."""

    def __init__(self, now):
        self.now = now
        self._temporary = tempfile.TemporaryDirectory(prefix="forgemeter-")
        self.path = pathlib.Path(self._temporary.name) / "data"
        run("apply", ACCOUNTS, "--data", self.path, "--now", now)

    def token(self, login, scopes):
        token = run("token", "create", "--data", self.path, "--login", login, "--scopes", scopes).rstrip("\n")
        if not token.startswith("fmt_") or "\n" in token:
            raise AssertionError(f"`token create` prints the token alone, not {token!r}")
        return token

    def write(self, name, text):
        """A file beside the data folder."""
        file = self.path.parent / name
        file.write_text(text)
        return file

    def serve(self, *options):
        return Server(self.path, "--now", self.now, *options)

    def remove(self):
        self._temporary.cleanup()
