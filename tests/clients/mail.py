"""An export that is wished by mail: one mail, to the one who wished it, with links that work."""

import email
import email.policy
import json
import pathlib
import re
import sys
import tempfile
import unittest

from acme import Acme
from server import HERE, Process, wait_until

MAIL_SECONDS = 60
DAYS = {"start_date": "2026-11-01", "end_date": "2026-11-09"}


class Mail(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.mails = pathlib.Path(temporary.name)
        self.smtp = Process(sys.executable, HERE / "smtp_process.py", self.mails)
        self.addCleanup(self.smtp.stop)
        config = self.mails / "forgemeter.toml"
        config.write_text(
            f'[mail]\nhost = "127.0.0.1"\nport = {self.smtp.first_line}\nfrom = "billing@example.test"\ntls = "none"\n'
        )
        self.acme = Acme("--config", config)
        self.running = True
        self.addCleanup(self.close)
        self.acme.use()

    def close(self):
        if self.running:
            self.acme.close()

    def create(self, **wish):
        body = json.dumps({"report_type": "detailed", **DAYS, **wish}).encode()
        headers = {"Content-Type": "application/json"}
        answer = self.acme.server.call("POST", "/enterprises/acme/settings/billing/reports", self.acme.mona, body, headers)
        return answer.json(202)["id"]

    def arrived(self):
        return sorted(self.mails.glob("*.json"))

    def test_one_mail_with_working_links_arrives_for_the_requester_and_none_for_an_export_without_the_wish(self):
        server, mona = self.acme.server, self.acme.mona
        server.completed_export(mona, "acme", self.create())
        wished = self.create(send_email=True)
        export = server.completed_export(mona, "acme", wished)
        first = wait_until("the mail", MAIL_SECONDS, lambda: next(iter(self.arrived()), None))

        mail = json.loads(first.read_text())
        self.assertEqual((mail["from"], mail["to"]), ("billing@example.test", ["mona@example.test"]))
        message = email.message_from_string(mail["content"], policy=email.policy.default)
        self.assertEqual(message["to"].addresses[0].addr_spec, "mona@example.test")
        self.assertEqual(message["from"].addresses[0].addr_spec, "billing@example.test")
        text = message.get_body(("plain",)).get_content()
        links = re.findall(r"http://\S+", text)
        self.assertEqual(len(links), len(export["download_urls"]), text)
        for link, url in zip(links, export["download_urls"]):
            by_mail, by_api = server.download(link), server.download(url)
            self.assertEqual((by_mail.status, by_mail.body), (200, by_api.body))
            self.assertTrue(by_mail.body.startswith(b'"date",'), by_mail.body[:100])

        self.running = False
        self.acme.close()
        self.assertEqual(self.arrived(), [first], "one mail, and none for the export without the wish")


if __name__ == "__main__":
    unittest.main()
