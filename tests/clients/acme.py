"""The usage of the published examples, in a folder of their own, and a server on it.

205 Linux, 1 macOS and 45 Windows minutes; 50 GB of transfer; 40 GB of storage seen 20 days before the month ends.
"""

import datetime
import json
import re

from server import Folder, run

NOW = "2026-11-10T00:30:00Z"
MONTH_START = datetime.datetime(2026, 11, 1, tzinfo=datetime.timezone.utc)
FULL_HOURS = 9 * 24

MINUTES = {
    "total_minutes_used": 305,
    "total_paid_minutes_used": 0,
    "included_minutes": 3000,
    "minutes_used_breakdown": {"UBUNTU": 205, "MACOS": 10, "WINDOWS": 90},
}
PACKAGES = {"total_gigabytes_bandwidth_used": 50, "total_paid_gigabytes_bandwidth_used": 40, "included_gigabytes_bandwidth": 10}
STORAGE = {"days_left_in_billing_cycle": 20, "estimated_paid_storage_for_month": 15, "estimated_storage_for_month": 40}

EVERYTHING = "repo,user,manage_billing:enterprise,usage:write"


def instant(hours, minutes=0, seconds=0):
    """A time of this month."""
    time = MONTH_START + datetime.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def usage(repository, number, time, sku, quantity, **data):
    """A usage event as it stands."""
    return {
        "specversion": "1.0",
        "type": "usage.recorded",
        "source": "/contract-run",
        "id": f"{repository}-{sku}-{number}",
        "time": time,
        "subject": repository,
        "data": {"sku": sku, "quantity": quantity, **data},
    }


def job(repository, number, label, seconds, attempt=1):
    """A job of GitHub's own runners. Starting an hour apart, no two of them overlap."""
    return {
        "specversion": "1.0",
        "type": "ci.job.completed",
        "source": "/contract-run",
        "id": f"{repository}-job-{number}-{attempt}",
        "time": instant(number, attempt * 10, seconds),
        "subject": repository,
        "data": {
            "runner_labels": [label],
            "started_at": instant(number, attempt * 10),
            "completed_at": instant(number, attempt * 10, seconds),
            "conclusion": "success",
            "run_id": 1000 + number,
            "run_attempt": attempt,
            "job_id": 10 * number + attempt,
            "workflow_path": ".github/workflows/ci.yml",
            "username": "mona",
            "visibility": "private",
        },
    }


def jobs_of_the_example(repository):
    """205 Linux minutes, 30 of them by re-runs; 1 macOS minute of 20 seconds; 45 Windows minutes. Each job is rounded up."""
    linux = [job(repository, number, "ubuntu-latest", 4 * 60 + 12) for number in range(35)]
    again = [job(repository, number, "ubuntu-latest", 4 * 60 + 1, attempt=2) for number in range(6)]
    macos = [job(repository, 40, "macos-latest", 20)]
    windows = [job(repository, number, "windows-latest", 5 * 60) for number in range(50, 59)]
    return linux + again + macos + windows


def minutes_of_the_example(repository):
    """The same minutes, already counted."""
    counted = {"actions_linux": "205", "actions_macos": 1, "actions_windows": 45.0}
    return [usage(repository, 1, instant(30), sku, quantity, username="mona") for sku, quantity in counted.items()]


def transfer_of_the_example(repository):
    return [usage(repository, number, instant(number), "packages_bandwidth", "12.5") for number in range(4)]


def storage_of_the_example(repository, levels):
    """The same levels of storage in every hour that has passed."""
    return [usage(repository, hour, instant(hour), sku, level) for hour in range(FULL_HOURS) for sku, level in levels.items()]


class Acme:
    """A server with the usage of the examples: for organizations and for users."""

    def __init__(self, *options):
        self.folder = Folder(NOW)
        self.mona = self.folder.token("mona", EVERYTHING)
        self.hubot = self.folder.token("hubot", "user,usage:write")
        self.server = self.folder.serve(*options)

    def use(self):
        """Sends the usage of the examples: the organization's jobs by the command line, all else over HTTP."""
        jobs = jobs_of_the_example("octo-org/web")
        file = self.folder.write("jobs.ndjson", "".join(json.dumps(event) + "\n" for event in jobs))
        for verdict in ["accepted", "duplicate"]:
            printed = run("ingest", file, "--url", self.server.url, "--token", self.mona)
            if not re.search(rf"\b{verdict}\W+{len(jobs)}\b|\b{len(jobs)}\s+{verdict}\b", printed):
                raise AssertionError(f"`ingest` counts {len(jobs)} as {verdict}, not: {printed}")
        self.accept(self.mona, transfer_of_the_example("octo-org/web"))
        self.accept(self.mona, storage_of_the_example("archive-org/attic", {"actions_storage": 40}))
        self.accept(self.mona, minutes_of_the_example("mona/dotfiles") + transfer_of_the_example("mona/dotfiles"))
        self.accept(self.hubot, storage_of_the_example("hubot/attic", {"actions_storage": "24.5", "packages_storage": "15.5"}))
        site = [usage("acme-web/site", day, instant(24 * day), "actions_linux", 60, username="mona") for day in range(5)]
        self.accept(self.mona, site)

    def accept(self, token, events):
        verdicts = self.server.send(token, events).json(200)
        if verdicts["accepted"] != len(events):
            raise AssertionError(f"{len(events)} events were sent, and judged: {verdicts}")

    def close(self):
        try:
            self.server.stop()
        finally:
            self.folder.remove()
