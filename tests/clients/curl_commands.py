"""The command lines of GitHub's own pages, typed as they stand there: only the host, the names and the token are replaced."""

import json
import subprocess
import unittest

from acme import EVERYTHING, MINUTES, PACKAGES, STORAGE, Acme, usage
from server import COMMAND_SECONDS, Folder

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

# The page wishes a report of January 2024.
PAGE_NOW = "2024-02-10T08:00:00Z"


def curl(server, command, token, **names):
    """The status and the body that a command line gets here."""
    for placeholder, name in names.items():
        command = command.replace(placeholder, name)
    command = command.replace("https://api.github.com", server.url).replace("<YOUR-TOKEN>", token)
    quiet = command.replace("curl -L", "curl -L --silent --show-error --write-out '\\n%{http_code}'", 1)
    done = subprocess.run(["bash", "-c", quiet], capture_output=True, text=True, timeout=COMMAND_SECONDS)
    if done.returncode != 0:
        raise AssertionError(f"{quiet} ended with {done.returncode}: {done.stderr}")
    body, status = done.stdout.rsplit("\n", 1)
    return int(status), json.loads(body)


class Summaries(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.acme = Acme()
        cls.addClassCleanup(cls.acme.close)
        cls.acme.use()

    def test_the_organizations_three_commands(self):
        for what, org, expected in [("actions", "octo-org", MINUTES), ("packages", "octo-org", PACKAGES), ("shared-storage", "archive-org", STORAGE)]:
            answer = curl(self.acme.server, f"{READ}/orgs/ORG/settings/billing/{what}", self.acme.mona, ORG=org)
            self.assertEqual(answer, (200, expected), what)

    def test_the_users_three_commands(self):
        mona, hubot = self.acme.mona, self.acme.hubot
        for what, token, username, expected in [
            ("actions", mona, "mona", MINUTES),
            ("packages", mona, "mona", PACKAGES),
            ("shared-storage", hubot, "hubot", STORAGE),
        ]:
            answer = curl(self.acme.server, f"{READ}/users/USERNAME/settings/billing/{what}", token, USERNAME=username)
            self.assertEqual(answer, (200, expected), what)


class Reports(unittest.TestCase):
    def test_the_reports_three_commands(self):
        folder = Folder(PAGE_NOW)
        self.addCleanup(folder.remove)
        mona = folder.token("mona", EVERYTHING)
        server = folder.serve()
        self.addCleanup(server.stop)
        event = usage("acme-web/site", 1, "2024-01-31T23:59:59Z", "actions_linux", 12, username="mona")
        self.assertEqual(server.send(mona, [event]).json(200)["accepted"], 1)

        status, created = curl(server, CREATE_REPORT, mona, ENTERPRISE="acme")
        self.assertEqual((status, created["status"], created["report_type"]), (202, "processing", "detailed"))
        self.assertEqual((created["start_date"], created["end_date"]), ("2024-01-01", "2024-01-31"))
        finished = server.completed_export(mona, "acme", created["id"])
        status, export = curl(server, GET_REPORT, mona, ENTERPRISE="acme", REPORT_ID=created["id"])
        self.assertEqual((status, export["status"], export["actor"]), (200, "completed", "mona"))
        keys = ["id", "report_type", "start_date", "end_date", "status", "download_urls", "created_at", "actor"]
        self.assertEqual(list(export), keys, "the keys come in the order of the page")
        status, exports = curl(server, LIST_REPORTS, mona, ENTERPRISE="acme")
        self.assertEqual((status, [each["id"] for each in exports["usage_report_exports"]]), (200, [created["id"]]))

        row = '"2024-01-31","actions","actions_linux","12","minutes","0.008","0.096","0.096","0","mona","Acme-Web","site","",""'
        self.assertEqual(server.download(finished["download_urls"][0]).body.decode().splitlines()[1:], [row])


if __name__ == "__main__":
    unittest.main()
