"""Bad input to POST /v1/usage: a line that is no valid event is rejected alone; a body that breaks off or passes a bound is refused
whole; and the server goes on."""

import gzip
import json
import socket
import unittest

import zstandard

from acme import EVERYTHING, NOW, instant, usage
from server import Folder

EVENTS_MAX = 10_000
INFLATED_BYTES_MAX = 16 * 1024 * 1024
BOMB = 16
LONG = "x" * 10_000


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Folder(NOW)
        cls.addClassCleanup(cls.folder.remove)
        cls.mona = cls.folder.token("mona", EVERYTHING)
        cls.server = cls.folder.serve()
        cls.addClassCleanup(cls.server.stop)

    def good(self, number=0):
        """A valid event that no other test sends."""
        return usage("octo-org/web", f"{self.id()}-{number}", instant(number % 200), "actions_linux", 1)

    def bad(self, **changes):
        """A valid event but for the given attributes; None leaves one out."""
        event = {**self.good(), **changes}
        return {name: value for name, value in event.items() if value is not None}

    def bad_data(self, **changes):
        return self.bad(data={**self.good()["data"], **changes})

    def assert_rejected(self, line, field):
        """The line in the middle of three is rejected with its number, field and reason; the other two stand."""
        verdicts = self.server.send(self.mona, [self.good(1), line, self.good(2)]).json(200)
        counts = {name: verdicts[name] for name in ["accepted", "duplicate", "conflict", "rejected"]}
        self.assertEqual(counts, {"accepted": 2, "duplicate": 0, "conflict": 0, "rejected": 1}, verdicts)
        self.assertEqual(len(verdicts["events"]), 1, verdicts)
        rejected = verdicts["events"][0]
        self.assertEqual((rejected["line"], rejected["verdict"]), (2, "rejected"))
        self.assertGreater(len(rejected["reason"]), 0)
        self.assertLess(len(rejected["reason"]), 500, "a reason does not repeat 10,000 characters")
        self.assertEqual(rejected["field"], field)
        again = self.server.send(self.mona, [self.good(1), self.good(2)]).json(200)
        self.assertEqual(again["duplicate"], 2, "the other lines were stored")

    def assert_refused(self, answer, status):
        """An error in GitHub's form, nothing stored, and the server goes on."""
        self.assertEqual(answer.json(status)["status"], str(status))
        self.assertGreater(len(answer.json(status)["message"]), 0)
        verdicts = self.server.send(self.mona, [self.good(1), self.good(2)]).json(200)
        self.assertEqual(verdicts["accepted"], 2, "nothing of the refused body was stored")

    # Lines that are no valid events.

    def test_a_broken_line_is_rejected_alone(self):
        self.assert_rejected('{"specversion":"1.0","type":"usage.recorded",', "event")

    def test_a_line_that_is_no_object_is_rejected_alone(self):
        self.assert_rejected("[1, 2, 3]", "event")

    def test_a_malformed_sku_is_rejected(self):
        self.assert_rejected(self.bad_data(sku="Not a SKU!"), "data.sku")

    def test_an_empty_sku_is_rejected(self):
        self.assert_rejected(self.bad_data(sku=""), "data.sku")

    def test_a_quantity_that_is_the_word_nan_is_rejected(self):
        self.assert_rejected(self.bad_data(quantity="NaN"), "data.quantity")

    def test_a_bare_nan_is_no_json_and_is_rejected(self):
        self.assert_rejected(json.dumps(self.bad_data(quantity=float("nan"))), "event")

    def test_a_quantity_of_1e400_is_rejected(self):
        self.assert_rejected(json.dumps(self.bad_data(quantity=12345)).replace("12345", "1e400"), "data.quantity")

    def test_a_quantity_of_1e400_as_text_is_rejected(self):
        self.assert_rejected(self.bad_data(quantity="1e400"), "data.quantity")

    def test_a_negative_quantity_is_rejected(self):
        self.assert_rejected(self.bad_data(quantity="-1"), "data.quantity")

    def test_a_quantity_above_a_trillion_is_rejected(self):
        self.assert_rejected(self.bad_data(quantity="1000000000000.000000001"), "data.quantity")

    def test_a_missing_quantity_is_rejected(self):
        self.assert_rejected(self.bad(data={"sku": "actions_linux"}), "data.quantity")

    def test_an_event_without_time_is_rejected(self):
        self.assert_rejected(self.bad(time=None), "time")

    def test_a_time_that_is_none_is_rejected(self):
        self.assert_rejected(self.bad(time="yesterday"), "time")

    def test_a_time_in_the_far_future_is_rejected(self):
        self.assert_rejected(self.bad(time="2126-11-10T00:00:00Z"), "time")

    def test_a_time_more_than_a_day_ahead_is_rejected(self):
        self.assert_rejected(self.bad(time="2026-11-11T01:30:00Z"), "time")

    def test_a_time_before_the_year_2000_is_rejected(self):
        self.assert_rejected(self.bad(time="1999-12-31T23:59:59Z"), "time")

    def test_an_unknown_owner_is_rejected(self):
        self.assert_rejected(self.bad(subject="no-such-owner/web"), "subject")

    def test_a_foreign_owner_is_rejected(self):
        self.assert_rejected(self.bad(subject="umbrella-labs/web"), "subject")

    def test_an_unknown_type_is_rejected(self):
        self.assert_rejected(self.bad(type="usage.imagined"), "type")

    def test_another_specversion_is_rejected(self):
        self.assert_rejected(self.bad(specversion="0.3"), "specversion")

    def test_an_id_of_10_000_characters_is_rejected(self):
        self.assert_rejected(self.bad(id=LONG), "id")

    def test_a_source_of_10_000_characters_is_rejected(self):
        self.assert_rejected(self.bad(source=LONG), "source")

    def test_a_subject_of_10_000_characters_is_rejected(self):
        self.assert_rejected(self.bad(subject=f"octo-org/{LONG}"), "subject")

    def test_a_sku_of_10_000_characters_is_rejected(self):
        self.assert_rejected(self.bad_data(sku=LONG), "data.sku")

    def test_a_username_of_10_000_characters_is_rejected(self):
        self.assert_rejected(self.bad_data(username=LONG), "data.username")

    def test_a_workflow_path_of_10_000_characters_is_rejected(self):
        self.assert_rejected(self.bad_data(workflow_path=LONG), "data.workflow_path")

    def test_a_quantity_of_10_000_digits_is_rejected(self):
        self.assert_rejected(self.bad_data(quantity="9" * 10_000), "data.quantity")

    # Verdicts.

    def test_the_same_event_with_another_quantity_is_a_conflict_that_names_the_field(self):
        event = self.good()
        self.assertEqual(self.server.send(self.mona, [event]).json(200)["accepted"], 1)
        changed = {**event, "data": {**event["data"], "quantity": 2}}
        verdicts = self.server.send(self.mona, [changed, event]).json(200)
        self.assertEqual((verdicts["conflict"], verdicts["duplicate"]), (1, 1), verdicts)
        conflict = next(each for each in verdicts["events"] if each["verdict"] == "conflict")
        self.assertEqual((conflict["line"], conflict["field"]), (1, "data.quantity"))

    def test_every_verdict_is_listed_on_request(self):
        events = [self.good(1), self.good(1), self.bad(time=None)]
        verdicts = self.server.send(self.mona, events, query="?verdicts=all").json(200)
        listed = [(each["line"], each["verdict"]) for each in verdicts["events"]]
        self.assertEqual(listed, [(1, "accepted"), (2, "duplicate"), (3, "rejected")])

    def test_a_well_formed_sku_without_a_price_is_accepted_and_listed_as_unrated(self):
        event = {**self.good(), "data": {"sku": "quantum_annealer_minutes", "quantity": 7}}
        self.assertEqual(self.server.send(self.mona, [event]).json(200)["accepted"], 1)
        unrated = self.server.call("GET", "/v1/unrated", self.mona).json(200)
        self.assertIn('"quantum_annealer_minutes"', json.dumps(unrated))

    # Forms of a body.

    def test_a_single_event_and_a_batch_are_taken_too(self):
        single = json.dumps(self.good(1)).encode()
        answer = self.server.call("POST", "/v1/usage", self.mona, single, {"Content-Type": "application/cloudevents+json"})
        self.assertEqual(answer.json(200)["accepted"], 1)
        batch = json.dumps([self.good(2), self.bad(time=None), self.good(3)]).encode()
        answer = self.server.call("POST", "/v1/usage", self.mona, batch, {"Content-Type": "application/cloudevents-batch+json"})
        verdicts = answer.json(200)
        self.assertEqual((verdicts["accepted"], verdicts["rejected"]), (2, 1))
        self.assertEqual(verdicts["events"][0]["line"], 2)

    def body(self, *events):
        return "".join(json.dumps(event) + "\n" for event in events).encode()

    def send_packed(self, packed, encoding):
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": encoding}
        return self.server.call("POST", "/v1/usage", self.mona, packed, headers)

    def test_a_gzip_body_is_taken(self):
        answer = self.send_packed(gzip.compress(self.body(self.good(1), self.good(2))), "gzip")
        self.assertEqual(answer.json(200)["accepted"], 2)

    def test_a_zstd_body_is_taken(self):
        answer = self.send_packed(zstandard.compress(self.body(self.good(1), self.good(2))), "zstd")
        self.assertEqual(answer.json(200)["accepted"], 2)

    # Bodies that are refused whole.

    def test_a_gzip_body_that_breaks_off_is_refused_whole(self):
        packed = gzip.compress(self.body(self.good(1), self.good(2)))
        self.assert_refused(self.send_packed(packed[:-9], "gzip"), 400)

    def test_a_zstd_body_that_breaks_off_is_refused_whole(self):
        packed = zstandard.compress(self.body(self.good(1), self.good(2)))
        self.assert_refused(self.send_packed(packed[:-4], "zstd"), 400)

    def test_a_body_that_is_not_what_its_encoding_says_is_refused_whole(self):
        self.assert_refused(self.send_packed(self.body(self.good(1), self.good(2)), "gzip"), 400)

    def test_an_unknown_encoding_is_refused(self):
        self.assert_refused(self.send_packed(self.body(self.good(1), self.good(2)), "compress"), 415)

    def test_a_gzip_bomb_is_refused_whole(self):
        bomb = self.body(self.good(1), self.good(2)) + b" " * (BOMB * INFLATED_BYTES_MAX)
        self.assert_refused(self.send_packed(gzip.compress(bomb), "gzip"), 413)

    def test_a_zstd_bomb_is_refused_whole(self):
        bomb = self.body(self.good(1), self.good(2)) + b" " * (BOMB * INFLATED_BYTES_MAX)
        self.assert_refused(self.send_packed(zstandard.compress(bomb), "zstd"), 413)

    def test_a_body_of_one_byte_too_many_is_refused_whole(self):
        body = self.body(self.good(1), self.good(2))
        too_large = body + b"\n" * (INFLATED_BYTES_MAX + 1 - len(body))
        headers = {"Content-Type": "application/x-ndjson"}
        self.assert_refused(self.server.call("POST", "/v1/usage", self.mona, too_large, headers), 413)

    def test_more_than_10_000_events_are_refused_whole(self):
        events = [self.good(number) for number in range(EVENTS_MAX + 1)]
        self.assert_refused(self.server.send(self.mona, events), 413)

    def test_10_000_events_are_taken(self):
        events = [self.good(number) for number in range(EVENTS_MAX)]
        self.assertEqual(self.server.send(self.mona, events).json(200)["accepted"], EVENTS_MAX)

    def test_a_body_that_breaks_off_is_refused_whole_and_the_server_goes_on(self):
        body = self.body(self.good(1), self.good(2))
        head = (
            f"POST /v1/usage HTTP/1.1\r\nHost: 127.0.0.1:{self.server.port}\r\nUser-Agent: contract-run\r\n"
            f"Authorization: Bearer {self.mona}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {len(body) + 100}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
            connection.sendall(head.encode() + body)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.makefile("rb").read()
        self.assertNotIn(b" 200 ", answer.split(b"\r\n")[0], "a body that breaks off is not acknowledged")
        verdicts = self.server.send(self.mona, [self.good(1), self.good(2)]).json(200)
        self.assertEqual(verdicts["accepted"], 2, "nothing of the broken body was stored")

    # Callers.

    def test_a_wrong_token_is_refused_with_401(self):
        answer = self.server.send("fmt_0000000000000000000000000000000000000000", [self.good(1)])
        expected = {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"}
        self.assertEqual(answer.json(401), expected)

    def test_a_request_without_a_token_is_refused_with_401(self):
        self.assertEqual(self.server.send(None, [self.good(1)]).json(401)["message"], "Requires authentication")

    def test_a_token_without_the_scope_for_sending_finds_nothing_and_stores_nothing(self):
        reader = self.folder.token("mona", "repo,user")
        self.assert_refused(self.server.send(reader, [self.good(1), self.good(2)]), 404)

    def test_a_foreign_enterprise_is_not_found(self):
        answer = self.server.call("GET", "/enterprises/umbrella/settings/billing/reports", self.mona)
        self.assertEqual(answer.json(404)["message"], "Not Found")


if __name__ == "__main__":
    unittest.main()
