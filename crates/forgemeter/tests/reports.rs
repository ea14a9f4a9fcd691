//! Report exports as a client meets them: the whole program, over HTTP and on the command line.
//!
//! What the rows of each type are is shown by tables in `billing`; here it is that they arrive: created, polled, downloaded, repeated,
//! mailed, and the same after a kill.

#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may stop at the first surprise")]

#[path = "reports/harness.rs"]
mod harness;

use harness::{ACCOUNTS, Folder, REPORTS, Server, agent, receive_mail, text, wait, wait_until};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

fn november(report_type: &str) -> String {
    format!(r#"{{"report_type":"{report_type}","start_date":"2026-11-01"}}"#)
}

/// Several parts as one text under the first header.
fn joined(parts: &[String]) -> String {
    let (header, _) = parts[0].split_once('\n').unwrap();
    let bodies = parts.iter().map(|part| part.strip_prefix(header).unwrap().strip_prefix('\n').unwrap());
    format!("{header}\n{}", bodies.collect::<String>())
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_export_is_created_polled_and_downloaded() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let event = |sku: &str, id: &str, rest: &str| {
        format!(
            r#"{{"specversion":"1.0","type":"usage.recorded","source":"/r","id":"{id}","time":"2026-11-03T10:15:00Z","subject":"acme/web","data":{{"sku":"{sku}","username":"mona",{rest}}}}}"#
        )
    };
    let events = [
        event("actions_linux", "1", r#""quantity":12,"workflow_path":".github/workflows/ci.yml""#),
        event("copilot_premium_request", "2", r#""quantity":"1.5","model":"Claude Sonnet 4.5""#),
        event(
            "copilot_ai_credit",
            "3",
            r#""quantity":"19.678995","model":"Auto: Claude Haiku 4.5","input_tokens":1000,"output_tokens":50"#,
        ),
    ];
    let (status, body) = server.post("/v1/usage", &(events.join("\n") + "\n"));
    assert!(status == 200 && body.contains("\"accepted\":3"), "{body}");
    let minutes = "2026-11-03,actions,actions_linux,12,minutes,0.006,0.072,0.072,0,";
    let premium = "copilot,copilot_premium_request,Claude Sonnet 4.5,1.5,requests,0.04,0.06,0.06,0,";
    let credits = "copilot,copilot_ai_credit,Auto: Claude Haiku 4.5,19.678995,ai-credits,0.01,0.19678995,0.19678995,0,";
    let detailed_copilot = "2026-11-03,copilot,copilot_ai_credit,19.678995,ai-credits,0.01,0.19678995,0.19678995,0,mona,acme,web,,\n\
                            2026-11-03,copilot,copilot_premium_request,1.5,requests,0.04,0.06,0.06,0,mona,acme,web,,\n";
    let summarized_copilot = detailed_copilot.replace("mona,acme,web,,", "acme,web,");
    let table = [
        ("detailed", "usageReport_1_", format!("{minutes}mona,acme,web,.github/workflows/ci.yml,\n{detailed_copilot}")),
        ("summarized", "usageReport_1_", format!("{minutes}acme,web,\n{summarized_copilot}")),
        ("premium_request", "premiumRequestUsageReport_1_", format!("2026-11-03,mona,{premium}False,300,acme,\n")),
        ("ai_credit", "aiUsageReport_1_", format!("2026-11-03,mona,{credits}1900,acme,web,,0,0,1000,50,0,0\n")),
    ];
    for (report_type, name, rows) in table {
        let id = server.create(&november(report_type));
        let links = server.completed(&id);
        assert!(links.len() == 1 && links[0].starts_with(&format!("{}/downloads/{id}/1/{name}", server.url)), "{links:?}");
        let csv = server.download(&links[0]);
        let (_, body) = csv.split_once('\n').unwrap();
        assert_eq!(body.replace('"', ""), rows, "{report_type}");
        assert!(
            csv.lines().all(|line| line.split(',').all(|field| field.starts_with('"') && field.ends_with('"'))),
            "every field is quoted"
        );
    }
}

#[test]
fn the_answers_have_githubs_keys_in_githubs_order() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let (status, created) = server.post(REPORTS, r#"{"report_type":"detailed","start_date":"2026-11-01","end_date":"2027-01-01"}"#);
    let id = serde_json::from_str::<serde_json::Value>(&created).unwrap()["id"].as_str().unwrap().to_owned();
    let shown = |status: &str| {
        format!(
            r#"{{"id":"{id}","report_type":"detailed","start_date":"2026-11-01","end_date":"2026-11-20","status":"{status}","created_at":"2026-11-20T10:00:0"#
        )
    };
    assert_eq!(status, 202);
    assert!(created.starts_with(&shown("processing")) && created.ends_with(r#"Z","actor":"mona"}"#), "a future end is today: {created}");
    let links = server.completed(&id);
    let (_, got) = server.get(&format!("/api/v3{REPORTS}/{}", id.to_uppercase()));
    let order: Vec<usize> =
        ["\"id\"", "\"report_type\"", "\"start_date\"", "\"end_date\"", "\"status\"", "\"download_urls\"", "\"created_at\"", "\"actor\""]
            .iter()
            .map(|key| got.find(key).unwrap_or_else(|| panic!("{key} in {got}")))
            .collect();
    assert!(order.is_sorted() && links.len() == 1, "{got}");
    let second = server.create(&november("summarized"));
    let (status, list) = server.get(&format!("{REPORTS}?per_page=100"));
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let ids: Vec<&str> = list["usage_report_exports"].as_array().unwrap().iter().map(|export| export["id"].as_str().unwrap()).collect();
    assert_eq!((status, ids), (200, vec![second.as_str(), id.as_str()]), "the newest first");
}

#[test]
fn what_is_not_there_or_not_allowed_is_refused() {
    let folder = Folder::new();
    let mut server = folder.serve(&[]);
    let id = server.create(&november("detailed"));
    for path in [
        format!("{REPORTS}/not-a-uuid"),
        format!("{REPORTS}/a1b2c3d4-e5f6-7890-abcd-ef1234567890"),
        format!("/enterprises/globex/settings/billing/reports/{id}"),
        "/enterprises/nobody/settings/billing/reports".to_owned(),
        format!("{REPORTS}/"),
    ] {
        assert_eq!(server.get(&path).0, 404, "{path}");
    }
    for (body, message) in [
        ("{", "Problems parsing JSON"),
        ("[]", "Body should be a JSON object"),
        ("", r#"Invalid request.\n\n\"report_type\", \"start_date\" weren't supplied."#),
        (r#"{"report_type":"weekly","start_date":"2026-11-01"}"#, "weekly is not a member of"),
        (r#"{"report_type":"detailed","start_date":"2026-11-21"}"#, "lies in the future"),
        (r#"{"report_type":"detailed","start_date":"2026-10-01"}"#, "at most 31 days, 51 were asked for"),
    ] {
        let (status, answer) = server.post(REPORTS, body);
        assert!(status == 400 && answer.contains(message) && answer.contains(r#""status":"400""#), "{body}: {status} {answer}");
    }
    // Rights come before the body.
    server.token.clone_from(&folder.member);
    assert_eq!(server.post(REPORTS, "{").0, 403, "a member without the role");
    assert_eq!(server.get(&format!("{REPORTS}/{id}")).0, 403);
    server.token = "fmt_unknown".to_owned();
    assert_eq!(server.post(REPORTS, "{").0, 401);
}

#[test]
fn a_link_needs_no_token_refuses_one_and_answers_head_and_ranges_through_the_whole_server() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    server.use_minutes(0..100);
    let id = server.create(&november("detailed"));
    let (link, whole) = (&server.completed(&id)[0], &server.downloads(&id)[0]);
    let head = server.agent.head(link).call().unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()), (200, whole.len().to_string().as_str()));
    for (name, value) in [("content-type", "text/csv; charset=utf-8"), ("cache-control", "no-store"), ("referrer-policy", "no-referrer")] {
        assert_eq!(head.headers()[name], value, "{name}");
    }
    let mut range = server.agent.get(link).header("range", "bytes=100-199").call().unwrap();
    assert_eq!((range.status().as_u16(), range.body_mut().read_to_string().unwrap().as_str()), (206, &whole[100..200]));
    let with_token = server.agent.get(link).header("authorization", format!("Bearer {}", server.token)).call().unwrap();
    assert_eq!(with_token.status().as_u16(), 400);
    let mut forged = server.agent.get(link.replace("signature=", "signature=0")).call().unwrap();
    assert_eq!(forged.status().as_u16(), 403);
    assert!(forged.body_mut().read_to_string().unwrap().contains(r#""status":"403""#));
}

#[test]
fn the_command_line_makes_the_bytes_of_the_export_from_folder_and_server() {
    let folder = Folder::new();
    let server = folder.serve(&[("FORGEMETER_REPORTS_ROWS_PER_PART", "300")]);
    server.use_minutes(0..1000);
    let id = server.create(&november("detailed"));
    let parts = server.downloads(&id);
    assert_eq!(parts.len(), 4, "1,000 rows in parts of 300");
    // The sequence is where the folder stands now; a report from there equals the export, and goes on to do so later.
    let out = tempfile::tempdir().unwrap();
    let written = text(folder.report(&["--json", "--output", out.path().join("now.csv").to_str().unwrap()]));
    let written: serde_json::Value = serde_json::from_str(&written).unwrap();
    let sequence = written["sequence"].as_str().unwrap();
    assert_eq!((written["rows"].as_u64(), written["files"][0]["sha256"].as_str()), (Some(1000), Some(sha256(&joined(&parts)).as_str())));
    server.use_minutes(1000..1500);
    assert_ne!(text(folder.report(&[])), joined(&parts), "late usage shows without --at");
    assert_eq!(text(folder.report(&["--at", sequence])), joined(&parts));
    let folder_of_parts = out.path().join("parts");
    text(folder.report(&["--at", sequence, "--rows-per-part", "300", "--parts", folder_of_parts.to_str().unwrap()]));
    let mut files: Vec<_> = std::fs::read_dir(&folder_of_parts).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts: Vec<String> = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(texts, parts);
    // The same command asks a server.
    let remote = |arguments: &[&str]| {
        let common = ["report", "--url", &server.url, "--token", &server.token, "--enterprise", "acme-corp", "--start", "2026-11-01"];
        Command::new(env!("CARGO_BIN_EXE_forgemeter")).args(common).args(arguments).output().unwrap()
    };
    assert_eq!(text(remote(&[])), text(folder.report(&[])));
    let refused = remote(&["--end", "2026-12-31", "--start", "2026-12-01"]);
    assert_eq!(refused.status.code(), Some(2), "an option that is given twice");
    let unauthorized = Command::new(env!("CARGO_BIN_EXE_forgemeter"))
        .args(["report", "--url", &server.url, "--token", "fmt_x", "--enterprise", "acme-corp", "--start", "2026-11-01"])
        .output()
        .unwrap();
    assert_eq!(unauthorized.status.code(), Some(4));
    assert_eq!(folder.report(&["--at", "9-99999"]).status.code(), Some(1));
}

#[test]
fn a_kill_in_the_middle_of_an_export_leads_to_the_same_file() {
    let folder = Folder::new();
    let settings = [("FORGEMETER_REPORTS_ROWS_PER_PART", "2000")];
    let server = folder.serve(&settings);
    server.use_minutes(0..12_000);
    let undisturbed = server.create(&november("detailed"));
    let expected: Vec<String> = server.downloads(&undisturbed).iter().map(|part| sha256(part)).collect();
    assert!(expected.len() > 3);
    let mut ids = Vec::new();
    let mut server = server;
    for round in 0..10 {
        ids.push(server.create(&november("detailed")));
        wait(Duration::from_millis(round * 20));
        drop(server);
        server = folder.serve(&settings);
    }
    for id in ids {
        let parts: Vec<String> = server.downloads(&id).iter().map(|part| sha256(part)).collect();
        assert_eq!(parts, expected, "{id}");
    }
    let unfinished = walk(&folder.path.path().join("exports"));
    assert!(unfinished.iter().all(|name| name.ends_with(".csv")), "{unfinished:?}");
}

/// Mounts a small disk, prepares the folder on it, and becomes the server, all in a mount namespace of their own.
const ON_A_SMALL_DISK: &str = r#"
set -e
mount -t tmpfs -o size=40m none "$2"
mkdir "$2/data"
"$1" apply "$3" --now 2026-11-20T10:00:00Z --data "$2/data" >&2
"$1" token create --login mona --scopes admin:org,manage_billing:enterprise,usage:write --data "$2/data"
exec "$1" serve --listen 127.0.0.1:0 --now 2026-11-20T10:00:00Z --data "$2/data"
"#;

#[test]
fn an_export_that_finds_the_disk_full_leaves_nothing_and_is_made_when_there_is_room() {
    let (disk, accounts) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(accounts.path(), ACCOUNTS).unwrap();
    let mut start = Command::new("unshare");
    start.args(["--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK, "sh", env!("CARGO_BIN_EXE_forgemeter")]);
    let mut process = start.args([disk.path(), accounts.path()]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let token = lines.next().expect("the script prints a token: it could mount a tmpfs").unwrap();
    let url = lines.next().unwrap().unwrap().strip_prefix("listening on ").unwrap().to_owned();
    let disk = format!("/proc/{}/root{}", process.id(), disk.path().display());
    let server = Server { process, url, token, agent: agent() };
    server.use_minutes(0..12_000);
    let undisturbed = server.create(&november("detailed"));
    let expected = server.downloads(&undisturbed);
    let ballast = format!("{disk}/ballast");
    fill(&ballast, 800_000);
    let id = server.create(&november("detailed"));
    let files = format!("{disk}/data/exports/{id}");
    // The attempt leaves its trace in the queue alone: the next one waits.
    wait_until(|| Path::new(&files).exists());
    wait_until(|| !Path::new(&files).exists());
    assert_eq!(server.json(&format!("{REPORTS}/{id}"))["status"], "processing");
    assert_eq!(server.downloads(&undisturbed), expected, "reads go on");
    std::fs::remove_file(ballast).unwrap();
    assert_eq!(server.downloads(&id), expected);
}

/// Writes a file until a disk has no more than so many bytes left.
fn fill(ballast: &str, left: u64) {
    let mut file = std::fs::File::create(ballast).unwrap();
    let block = vec![0; 64 * 1024];
    let mut written = 0;
    while file.write_all(&block).is_ok() {
        written = file.metadata().unwrap().len();
    }
    file.set_len(written - left).unwrap();
}

fn walk(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.display().to_string()] }).collect()
}

#[test]
fn the_mail_that_was_asked_for_arrives_with_a_link_that_works() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let folder = Folder::new();
    let mail = [
        ("FORGEMETER_MAIL_HOST", "127.0.0.1"),
        ("FORGEMETER_MAIL_PORT", port.as_str()),
        ("FORGEMETER_MAIL_FROM", "billing@example.test"),
        ("FORGEMETER_MAIL_TLS", "none"),
    ];
    let server = folder.serve(&mail);
    let id = server.create(r#"{"report_type":"detailed","start_date":"2026-11-01","send_email":true}"#);
    let mail = receive_mail(&listener);
    assert!(mail.contains("RCPT TO:<mona@example.test>") && mail.contains(&format!("Message-ID: <{id}@example.test>")), "{mail}");
    let link = mail.lines().find(|line| line.starts_with(&format!("{}/downloads/{id}/1/", server.url))).unwrap_or_else(|| panic!("{mail}"));
    assert_eq!(server.download(link), server.downloads(&id)[0]);
}
