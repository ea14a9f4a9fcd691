"""PyGithub calls all nine operations, and tells refusals apart by its own classes of errors."""

import unittest

import github

from acme import MINUTES, PACKAGES, STORAGE, Acme
from server import EXPORT_SECONDS, wait_until

REPORTS = "/enterprises/acme/settings/billing/reports"


class PyGithub(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.acme = Acme()
        cls.addClassCleanup(cls.acme.close)
        cls.acme.use()

    def client(self, token):
        """A client of its own, without the waiting and repeating that would hide an answer."""
        client = github.Github(
            auth=github.Auth.Token(token),
            base_url=f"{self.acme.server.url}/api/v3",
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
        )
        self.addCleanup(client.close)
        return client

    def get(self, path, token=None):
        """The body of an answer, without the `url` that the client adds."""
        _, body = self.client(token or self.acme.mona).requester.requestJsonAndCheck("GET", path)
        return {key: value for key, value in body.items() if key != "url"}

    def test_it_reads_an_organizations_minutes_transfer_and_storage(self):
        self.assertEqual(self.get("/orgs/octo-org/settings/billing/actions"), MINUTES)
        self.assertEqual(self.get("/orgs/octo-org/settings/billing/packages"), PACKAGES)
        self.assertEqual(self.get("/orgs/archive-org/settings/billing/shared-storage"), STORAGE)

    def test_it_reads_a_users_minutes_transfer_and_storage(self):
        self.assertEqual(self.get("/users/mona/settings/billing/actions"), MINUTES)
        self.assertEqual(self.get("/users/mona/settings/billing/packages"), PACKAGES)
        self.assertEqual(self.get("/users/hubot/settings/billing/shared-storage", self.acme.hubot), STORAGE)

    def test_it_creates_an_export_takes_202_for_success_and_finds_it_again(self):
        requester = self.client(self.acme.mona).requester
        wish = {"report_type": "summarized", "start_date": "2026-11-01", "end_date": "2026-11-09"}
        _, created = requester.requestJsonAndCheck("POST", REPORTS, input=wish)
        self.assertEqual((created["status"], created["actor"]), ("processing", "mona"))
        self.assertEqual({key: created[key] for key in wish}, wish)

        def finished():
            export = self.get(f"{REPORTS}/{created['id']}")
            return export if export["status"] != "processing" else None

        export = wait_until("the export", EXPORT_SECONDS, finished)
        self.assertEqual(export["status"], "completed")
        lines = self.acme.server.download(export["download_urls"][0]).body.decode().splitlines()
        row = '"2026-11-01","actions","actions_linux","60","minutes","0.006","0.36","0.36","0","Acme-Web","site",""'
        self.assertEqual(lines[1], row)
        self.assertEqual(len(lines), 6, "one line for each day with usage")
        self.assertIn(created["id"], [each["id"] for each in self.get(REPORTS)["usage_report_exports"]])

    def test_a_wrong_token_raises_its_bad_credentials(self):
        with self.assertRaises(github.BadCredentialsException) as refused:
            self.get("/orgs/octo-org/settings/billing/actions", "fmt_0000000000000000000000000000000000000000")
        self.assertEqual(refused.exception.status, 401)

    def test_what_is_not_there_or_hidden_raises_its_unknown_object(self):
        for path in ["/orgs/no-such-org/settings/billing/actions", "/orgs/umbrella-labs/settings/billing/actions", f"{REPORTS}/1234"]:
            with self.subTest(path), self.assertRaises(github.UnknownObjectException) as refused:
                self.get(path)
            self.assertEqual(refused.exception.status, 404)

    def test_a_bad_wish_for_an_export_raises_its_general_error_with_400(self):
        requester = self.client(self.acme.mona).requester
        with self.assertRaises(github.GithubException) as refused:
            requester.requestJsonAndCheck("POST", REPORTS, input={"report_type": "weekly", "start_date": "2026-11-01"})
        self.assertEqual(refused.exception.status, 400)


if __name__ == "__main__":
    unittest.main()
