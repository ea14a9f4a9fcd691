//! A full disk: usage is refused whole with a clear error, reads go on, and when there is room again the server takes usage without a
//! restart, with nothing lost and nothing counted twice.
//!
//! The disk is a small tmpfs in a mount namespace of the server's own, which needs no rights beyond those to make a user namespace.

#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may stop at the first surprise")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const ACCOUNTS: &str = r#"
[[organization]]
login = "acme"
plan = "team"
owners = ["mona"]
"#;

/// Mounts the disk, fills part of it with ballast, prepares the folder, and becomes the server.
const SCRIPT: &str = r#"
set -e
mount -t tmpfs -o size=24m none "$2"
mkdir "$2/data"
head -c 8000000 /dev/zero > "$2/ballast"
"$1" apply "$3" --now 2026-11-20T10:00:00Z --data "$2/data" >&2
"$1" token create --login mona --scopes admin:org,usage:write --data "$2/data"
exec "$1" serve --listen 127.0.0.1:0 --now 2026-11-20T10:00:00Z --seal-events 30000 --data "$2/data"
"#;

struct Server {
    process: Child,
    url: String,
    token: String,
    agent: ureq::Agent,
    disk: String,
}

impl Server {
    fn start(disk: &std::path::Path, accounts: &std::path::Path) -> Server {
        let mut start = Command::new("unshare");
        start.args(["--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh", env!("CARGO_BIN_EXE_forgemeter")]).arg(disk).arg(accounts);
        let mut process = start.stdout(Stdio::piped()).spawn().expect("`unshare` of util-linux starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let token = lines.next().expect("the script prints a token: it could mount a tmpfs").unwrap();
        let url = lines.next().unwrap().unwrap().strip_prefix("listening on ").unwrap().to_owned();
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let disk = format!("/proc/{}/root{}", process.id(), disk.display());
        Server { process, url, token, agent, disk }
    }

    fn send(&self, numbers: std::ops::Range<u32>) -> (u16, serde_json::Value) {
        let body: String = numbers.map(|number| event(number) + "\n").collect();
        let request = self.agent.post(format!("{}/v1/usage", self.url)).header("authorization", format!("Bearer {}", self.token));
        let mut answer = request.send(&body).unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap())
    }

    fn minutes(&self) -> u64 {
        let request = self.agent.get(format!("{}/orgs/acme/settings/billing/actions", self.url));
        let mut answer = request.header("authorization", format!("Bearer {}", self.token)).call().unwrap();
        assert_eq!(answer.status().as_u16(), 200);
        let body: serde_json::Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
        body["total_minutes_used"].as_u64().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn event(number: u32) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"usage.recorded","source":"/disk","id":"{number:040}","time":"2026-11-{:02}T10:15:00Z","subject":"acme/r{}","data":{{"sku":"actions_linux","quantity":1,"username":"u{}"}}}}"#,
        1 + number % 19,
        number % 1000,
        number % 500,
    )
}

const BATCH: u32 = 5_000;
/// Far more than the disk can hold.
const BATCHES_MAX: u32 = 200;

#[test]
fn a_full_disk_refuses_usage_whole_and_the_server_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, accounts) = (folder.path().join("disk"), folder.path().join("acme.toml"));
    std::fs::create_dir(&disk).unwrap();
    std::fs::write(&accounts, ACCOUNTS).unwrap();
    let server = Server::start(&disk, &accounts);
    // A seal that finds no room gives back what it wrote, so a refused body may find room the next time.
    let (mut batch, mut accepted, mut refusals) = (0, 0, 0);
    while refusals < 3 {
        assert!(batch < BATCHES_MAX, "the disk is full long before");
        match server.send(batch * BATCH..(batch + 1) * BATCH) {
            (200, _) => (batch, accepted) = (batch + 1, accepted + BATCH),
            (507, body) => {
                refusals += 1;
                assert!(body["message"].as_str().unwrap().contains("disk"), "{body}");
            }
            (status, body) => panic!("{status}: {body}"),
        }
    }
    assert!(accepted > 0);
    assert_eq!(server.minutes(), u64::from(accepted), "reads go on, and the refused usage is not in them");
    std::fs::remove_file(format!("{}/ballast", server.disk)).unwrap();
    let (status, body) = server.send(batch * BATCH..(batch + 1) * BATCH);
    assert_eq!((status, body["accepted"].as_u64()), (200, Some(u64::from(BATCH))), "{body}");
    let (_, again) = server.send(0..BATCH);
    assert_eq!(again["duplicate"].as_u64(), Some(u64::from(BATCH)));
    assert_eq!(server.minutes(), u64::from(accepted + BATCH));
}
