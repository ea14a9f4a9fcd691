"""The command lines of GitHub's own pages, typed as they stand there: only the host, the names and the token are replaced."""

import json
import subprocess
import unittest

from acme import MINUTES, PACKAGES, STORAGE, Acme
from server import COMMAND_SECONDS

HEADERS = r"""-H "Accept: application/vnd.github+json" \
  -H "Authorization: Bearer <YOUR-TOKEN>" \
  -H "X-GitHub-Api-Version: 2022-11-28" \
"""
READ = "curl -L \\\n  " + HEADERS + "  https://api.github.com"
CREATE = "curl -L \\\n  -X POST \\\n  " + HEADERS + "  https://api.github.com"

LIST_REPORTS = READ + "/enterprises/ENTERPRISE/settings/billing/reports"
CREATE_REPORT = (
    CREATE
    + "/enterprises/ENTERPRISE/settings/billing/reports \\\n"
    + """  -d '{"report_type":"detailed","start_date":"2024-01-01","end_date":"2024-01-31"}'"""
)
GET_REPORT = READ + "/enterprises/ENTERPRISE/settings/billing/reports/REPORT_ID"


class CurlCommands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.acme = Acme()
        cls.addClassCleanup(cls.acme.close)
        cls.acme.use()

    def curl(self, command, token, **names):
        """The status and the body that a command line gets here."""
        for placeholder, name in names.items():
            command = command.replace(placeholder, name)
        command = command.replace("https://api.github.com", self.acme.server.url).replace("<YOUR-TOKEN>", token)
        quiet = command.replace("curl -L", "curl -L --silent --show-error --write-out '\\n%{http_code}'", 1)
        done = subprocess.run(["bash", "-c", quiet], capture_output=True, text=True, timeout=COMMAND_SECONDS)
        self.assertEqual(done.returncode, 0, done.stderr)
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), json.loads(body)

    def test_the_organizations_three_commands(self):
        for what, org, expected in [("actions", "octo-org", MINUTES), ("packages", "octo-org", PACKAGES), ("shared-storage", "archive-org", STORAGE)]:
            answer = self.curl(f"{READ}/orgs/ORG/settings/billing/{what}", self.acme.mona, ORG=org)
            self.assertEqual(answer, (200, expected), what)

    def test_the_users_three_commands(self):
        mona, hubot = self.acme.mona, self.acme.hubot
        for what, token, username, expected in [
            ("actions", mona, "mona", MINUTES),
            ("packages", mona, "mona", PACKAGES),
            ("shared-storage", hubot, "hubot", STORAGE),
        ]:
            answer = self.curl(f"{READ}/users/USERNAME/settings/billing/{what}", token, USERNAME=username)
            self.assertEqual(answer, (200, expected), what)

    def test_the_reports_three_commands(self):
        mona = self.acme.mona
        status, created = self.curl(CREATE_REPORT, mona, ENTERPRISE="acme")
        self.assertEqual((status, created["status"], created["report_type"]), (202, "processing", "detailed"))
        self.assertEqual((created["start_date"], created["end_date"]), ("2024-01-01", "2024-01-31"))
        self.acme.server.completed_export(mona, "acme", created["id"])
        status, export = self.curl(GET_REPORT, mona, ENTERPRISE="acme", REPORT_ID=created["id"])
        self.assertEqual((status, export["status"], export["actor"]), (200, "completed", "mona"))
        keys = ["id", "report_type", "start_date", "end_date", "status", "download_urls", "created_at", "actor"]
        self.assertEqual(list(export), keys, "the keys come in the order of the page")
        status, exports = self.curl(LIST_REPORTS, mona, ENTERPRISE="acme")
        self.assertEqual((status, exports["usage_report_exports"][0]["id"]), (200, created["id"]))


if __name__ == "__main__":
    unittest.main()
