"""A real SMTP server in a process of its own: says its port, then keeps each mail as a file with its envelope.

    python smtp_process.py FOLDER
"""

import asyncio
import itertools
import json
import pathlib
import signal
import sys

from aiosmtpd.smtp import SMTP


class Keep:
    """Writes each mail under a name that counts up; a file appears whole or not at all."""

    def __init__(self, folder):
        self.folder = folder
        self.numbers = itertools.count(1)

    async def handle_DATA(self, _server, _session, envelope):
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "content": envelope.content.decode()}
        name = f"{next(self.numbers):04}"
        unfinished = self.folder / f"{name}.tmp"
        unfinished.write_text(json.dumps(mail))
        unfinished.rename(self.folder / f"{name}.json")
        return "250 kept"


async def serve(folder):
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(lambda: SMTP(Keep(folder), hostname="127.0.0.1"), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(pathlib.Path(sys.argv[1])))
