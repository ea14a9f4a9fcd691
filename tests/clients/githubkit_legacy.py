"""githubkit 0.13.6, the last release with the retired summaries: typed methods whose models refuse a wrong type or a missing key."""

import unittest

from acme import MINUTES, PACKAGES, STORAGE, Acme
from githubkit import GitHub, TokenAuthStrategy
from githubkit.exception import RequestFailed


class GithubkitLegacy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.acme = Acme()
        cls.addClassCleanup(cls.acme.close)
        cls.acme.use()

    def setUp(self):
        # The namespaces of a client hold it only weakly.
        self.clients = []

    def billing(self, token, version="2022-11-28"):
        base_url = f"{self.acme.server.url}/api/v3"
        client = GitHub(TokenAuthStrategy(token), base_url=base_url, auto_retry=False, http_cache=False)
        self.clients.append(client)
        return client.rest(version).billing

    def assert_parsed(self, response, expected):
        """Validates with the client's model, and compares what was sent."""
        self.assertEqual(response.parsed_data.model_dump(by_alias=True, exclude_unset=True), expected)
        self.assertEqual(response.json(), expected)

    def test_the_typed_methods_read_an_organization(self):
        billing = self.billing(self.acme.mona)
        self.assert_parsed(billing.get_github_actions_billing_org("octo-org"), MINUTES)
        self.assert_parsed(billing.get_github_packages_billing_org("octo-org"), PACKAGES)
        self.assert_parsed(billing.get_shared_storage_billing_org("archive-org"), STORAGE)

    def test_the_typed_methods_read_a_user(self):
        billing = self.billing(self.acme.mona)
        self.assert_parsed(billing.get_github_actions_billing_user("mona"), MINUTES)
        self.assert_parsed(billing.get_github_packages_billing_user("mona"), PACKAGES)
        self.assert_parsed(self.billing(self.acme.hubot).get_shared_storage_billing_user("hubot"), STORAGE)

    def test_the_typed_methods_read_an_enterprise(self):
        billing = self.billing(self.acme.mona, "ghec-2022-11-28")
        self.assertEqual(billing.get_github_actions_billing_ghe("acme").parsed_data.total_minutes_used, 300)
        self.assertEqual(billing.get_github_packages_billing_ghe("acme").parsed_data.included_gigabytes_bandwidth, 100)
        self.assertEqual(billing.get_shared_storage_billing_ghe("acme").parsed_data.days_left_in_billing_cycle, 20)

    def test_refusals_arrive_with_their_status(self):
        refused = {
            401: (self.billing("fmt_0000000000000000000000000000000000000000"), "octo-org"),
            404: (self.billing(self.acme.mona), "no-such-org"),
        }
        for status, (billing, org) in refused.items():
            with self.subTest(status), self.assertRaises(RequestFailed) as raised:
                billing.get_github_actions_billing_org(org)
            self.assertEqual(raised.exception.response.status_code, status)


if __name__ == "__main__":
    unittest.main()
