"""Runs the commands of a page as its reader would, in order, against a demo server, in a folder of its own.

    python3 tests/readme.py README.md

A comment on the line before a fenced block says what to do with the block:

    <!-- test -->              run this block of commands; it must succeed
    <!-- test: acme.toml -->   this block is the content of that file

`cargo run --release --` stands for the program. These variables tell a block of the demo: URL, ENTERPRISE, ORGANIZATION, USERNAME,
TOKEN (the enterprise owner's), and for each role, such as USAGE_WRITER, its token as USAGE_WRITER_TOKEN.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/clients"))

from server import PROGRAM, Process  # noqa: E402  (it lies beside the clients)

BLOCK_SECONDS = 120
MARKED = re.compile(r"^<!-- test(?:: (?P<file>[\w.-]+))? -->\n```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^\s*<!-- *test\b", re.MULTILINE)


def blocks(page):
    """The marked blocks of a page: line, file name or None, text."""
    text = page.read_text()
    found = [(text.count("\n", 0, match.start()) + 1, match["file"], match["language"], match["text"]) for match in MARKED.finditer(text)]
    if len(found) != len(MARK.findall(text)):
        sys.exit(f"{page}: a `<!-- test -->` without a fenced block on the next line")
    for line, file, language, _ in found:
        if file is None and language != "sh":
            sys.exit(f"{page}:{line}: only `sh` blocks can be run")
    if not any(file is None for _, file, _, _ in found):
        sys.exit(f"{page}: no block is marked with `<!-- test -->`")
    return found


def environment(demo, folder):
    """What a block knows: the program on its path, and the demo."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "forgemeter").symlink_to(pathlib.Path(PROGRAM).resolve())
    tokens = {f"{role.upper()}_TOKEN": token for role, token in demo["tokens"].items()}
    return {
        **os.environ,
        **tokens,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "URL": demo["url"],
        "ENTERPRISE": demo["enterprise"],
        "ORGANIZATION": demo["organizations"][0],
        "USERNAME": demo["users"][0],
        "TOKEN": demo["tokens"]["enterprise_owner"],
    }


class Reader:
    """Types the blocks, each in a shell of its own. What a block leaves running goes on until the page is read."""

    def __init__(self, folder, variables):
        self.folder = folder
        self.variables = variables
        self.shells = []

    def type(self, text):
        """Whether a block succeeded, and what it wrote."""
        command = text.replace("cargo run --release --", "forgemeter")
        with tempfile.TemporaryFile() as output:
            shell = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=self.folder,
                env=self.variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.shells.append(shell)
            try:
                outcome = f"ended with {code}" if (code := shell.wait(timeout=BLOCK_SECONDS)) else None
            except subprocess.TimeoutExpired:
                outcome = f"went on for more than {BLOCK_SECONDS} seconds"
            output.seek(0)
            return outcome, output.read().decode(errors="replace")

    def leave(self):
        for shell in self.shells:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # Nothing of this block was left.


def read(page, demo, folder):
    """Runs a page's blocks; how many ran, and how many of them failed."""
    work = folder / "work"
    work.mkdir()
    reader = Reader(work, environment(demo, folder))
    ran, failed = 0, 0
    try:
        for line, file, _, text in blocks(page):
            if file is not None:
                (work / file).write_text(text)
                continue
            outcome, output = reader.type(text)
            ran += 1
            failed += outcome is not None
            print(f"{page.name}:{line}: {outcome or 'ok'}", flush=True)
            if outcome:
                print(text, output, sep="\n---\n", flush=True)
    finally:
        reader.leave()
    return ran, failed


def main(pages):
    for page in pages:
        blocks(page)  # A page without commands fails before the demo starts.
    ran, failed = 0, 0
    for page in pages:
        with tempfile.TemporaryDirectory() as folder:
            demo = Process(PROGRAM, "demo", "--json", "--listen", "127.0.0.1:0", "--data", pathlib.Path(folder) / "demo")
            try:
                of_page = read(page, json.loads(demo.first_line), pathlib.Path(folder))
            finally:
                demo.stop()
        ran, failed = ran + of_page[0], failed + of_page[1]
    print(f"{ran - failed} of {ran} blocks of commands succeeded")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main([pathlib.Path(name) for name in sys.argv[1:]]))
