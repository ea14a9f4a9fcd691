"""githubkit 0.16.1 with the models of October 2026: the report exports, typed."""

import unittest

from acme import Acme
from githubkit import GitHub, TokenAuthStrategy
from githubkit.exception import RequestFailed
from server import EXPORT_SECONDS, wait_until

TYPES = ["detailed", "summarized", "premium_request", "ai_credit"]
DAYS = {"start_date": "2026-11-01", "end_date": "2026-11-09"}


class GithubkitReports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.acme = Acme()
        cls.addClassCleanup(cls.acme.close)
        cls.acme.use()

    def setUp(self):
        # The namespaces of a client hold it only weakly.
        self.clients = []

    def billing(self, version, token=None):
        base_url = f"{self.acme.server.url}/api/v3"
        client = GitHub(TokenAuthStrategy(token or self.acme.mona), base_url=base_url, auto_retry=False, http_cache=False)
        self.clients.append(client)
        return client.rest(version).billing

    def export(self, billing, report_type):
        """Creates an export and follows it to its end; every answer passes the client's models."""
        created = billing.create_usage_report_export("acme", data={"report_type": report_type, **DAYS})
        self.assertEqual(created.status_code, 202)
        self.assertEqual((created.parsed_data.status, created.parsed_data.report_type), ("processing", report_type))

        def finished():
            export = billing.get_usage_report_export("acme", created.parsed_data.id).parsed_data
            return export if export.status != "processing" else None

        return wait_until(f"the {report_type} export", EXPORT_SECONDS, finished)

    def test_each_type_of_report_is_created_completed_listed_and_downloaded(self):
        for version in ["ghec-2022-11-28", "ghec-2026-03-10"]:
            billing = self.billing(version)
            exports = {report_type: self.export(billing, report_type) for report_type in TYPES}
            self.assertEqual([export.status for export in exports.values()], ["completed"] * len(TYPES))
            listed = billing.list_usage_report_exports("acme").parsed_data.usage_report_exports
            self.assertEqual([each.id for each in listed[: len(TYPES)]], [export.id for export in reversed(exports.values())])
            file = self.acme.server.download(exports["detailed"].download_urls[0])
            self.assertEqual(file.status, 200)
            rows = file.body.decode().splitlines()[1:]
            self.assertEqual(len(rows), 5, "one row for each day with usage")
            self.assertIn('"mona","Acme-Web","site"', rows[0])

    def test_refusals_arrive_with_their_status(self):
        calls = {
            400: lambda: self.billing("ghec-2026-03-10").create_usage_report_export("acme", data={"report_type": "detailed", "start_date": "2027-01-01"}),
            401: lambda: self.billing("ghec-2026-03-10", "fmt_0000000000000000000000000000000000000000").list_usage_report_exports("acme"),
            404: lambda: self.billing("ghec-2026-03-10").list_usage_report_exports("umbrella"),
        }
        for status, call in calls.items():
            with self.subTest(status), self.assertRaises(RequestFailed) as raised:
                call()
            self.assertEqual(raised.exception.response.status_code, status)


if __name__ == "__main__":
    unittest.main()
