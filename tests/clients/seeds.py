"""The published examples come out to the digit, in GitHub's order of keys, when the usage behind them was sent."""

import json
import unittest

from acme import MINUTES, NOW, PACKAGES, STORAGE, Acme, jobs_of_the_example


class PublishedExamples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.acme = Acme()
        cls.addClassCleanup(cls.acme.close)
        cls.acme.use()

    def assert_answers(self, path, token, expected):
        answer = self.acme.server.call("GET", path, token)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["content-type"], "application/json; charset=utf-8")
        self.assertEqual(answer.body.decode(), json.dumps(expected, separators=(",", ":")))
        prefixed = self.acme.server.call("GET", f"/api/v3{path}", token)
        self.assertEqual(prefixed.body, answer.body)

    def test_an_organization_used_205_linux_10_macos_and_90_windows_minutes_and_paid_none(self):
        self.assert_answers("/orgs/octo-org/settings/billing/actions", self.acme.mona, MINUTES)

    def test_a_user_used_205_linux_10_macos_and_90_windows_minutes_and_paid_none(self):
        self.assert_answers("/users/mona/settings/billing/actions", self.acme.mona, MINUTES)

    def test_an_organization_transferred_50_gigabytes_and_paid_40(self):
        self.assert_answers("/orgs/octo-org/settings/billing/packages", self.acme.mona, PACKAGES)

    def test_a_user_transferred_50_gigabytes_and_paid_40(self):
        self.assert_answers("/users/mona/settings/billing/packages", self.acme.mona, PACKAGES)

    def test_an_organization_will_store_40_gigabytes_and_pay_15_with_20_days_left(self):
        self.assert_answers("/orgs/archive-org/settings/billing/shared-storage", self.acme.mona, STORAGE)

    def test_a_user_will_store_40_gigabytes_and_pay_15_with_20_days_left(self):
        self.assert_answers("/users/hubot/settings/billing/shared-storage", self.acme.hubot, STORAGE)

    def test_an_organizations_name_has_no_case(self):
        self.assert_answers("/orgs/OCTO-Org/settings/billing/actions", self.acme.mona, MINUTES)

    def test_the_enterprises_minutes_are_not_weighted(self):
        expected = {
            "total_minutes_used": 300,
            "total_paid_minutes_used": 0,
            "included_minutes": 50000,
            "minutes_used_breakdown": {"UBUNTU": 300, "MACOS": 0, "WINDOWS": 0},
        }
        self.assert_answers("/enterprises/acme/settings/billing/actions", self.acme.mona, expected)


class OwnEvents(unittest.TestCase):
    def test_every_event_is_in_the_very_next_answer(self):
        acme = Acme()
        self.addCleanup(acme.close)
        linux, macos, windows = 0, 0, 0
        for event in jobs_of_the_example("octo-org/web"):
            acme.accept(acme.mona, [event])
            label = event["data"]["runner_labels"][0]
            linux += 5 if label == "ubuntu-latest" else 0
            macos += 10 if label == "macos-latest" else 0
            windows += 10 if label == "windows-latest" else 0
            answer = acme.server.call("GET", "/orgs/octo-org/settings/billing/actions", acme.mona).json(200)
            self.assertEqual(answer["minutes_used_breakdown"], {"UBUNTU": linux, "MACOS": macos, "WINDOWS": windows})
        self.assertEqual((linux, macos, windows), (205, 10, 90), f"at {NOW}")


if __name__ == "__main__":
    unittest.main()
