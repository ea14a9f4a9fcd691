//! The running server over plain sockets: order of checks, headers, roles, the published examples, and how it stops.
//!
//! What real clients make of the same answers is tested by tests/clients.

#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may stop at the first surprise")]

#[path = "http/server.rs"]
mod server;

use server::{Answer, Folder, NOW, Server, bearer, forgemeter, usage};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

const ACTIONS: &str = "/orgs/alone/settings/billing/actions";
const REPORTS: &str = "/enterprises/big/settings/billing/reports";
const NO_USAGE: &str = r#"{"total_minutes_used":0,"total_paid_minutes_used":0,"included_minutes":3000,"minutes_used_breakdown":{"UBUNTU":0,"MACOS":0,"WINDOWS":0}}"#;

/// Method, path, header lines; status, message, and whether the answer names the version that was selected.
type Check<'a> = (&'a str, &'a str, &'a [&'a str], u16, &'a str, bool);

#[test]
fn checks_come_in_githubs_order() {
    let folder = Folder::new();
    let good = bearer(&folder.scopes("mona", "repo"));
    let server = folder.serve(&[]);
    let (bad, old) = ("authorization: Bearer fmt_0", "x-github-api-version: 2019-01-01");
    let no_json = "accept: text/csv";
    let table: [Check<'_>; 16] = [
        ("GET", "/no/such/route", &[bad, old], 404, "Not Found", false),
        ("GET", "/orgs/alone/settings/billing/actions/", &[&good], 404, "Not Found", false),
        ("POST", ACTIONS, &[&good], 404, "Not Found", false),
        ("DELETE", REPORTS, &[&good], 404, "Not Found", false),
        ("GET", ACTIONS, &[bad, old], 401, "Bad credentials", false),
        ("GET", ACTIONS, &[&good, old], 400, "Bad Request", false),
        ("GET", ACTIONS, &[old], 400, "Bad Request", false),
        ("GET", ACTIONS, &[no_json], 415, "Unsupported 'Accept' header: 'text/csv'. Must accept 'application/json'.", true),
        ("GET", ACTIONS, &[], 401, "Requires authentication", true),
        ("GET", ACTIONS, &["authorization: Digest x"], 401, "Requires authentication", true),
        ("GET", "/orgs/nobody/settings/billing/actions", &[], 401, "Requires authentication", true),
        ("GET", "/orgs/nobody/settings/billing/actions", &[&good], 404, "Not Found", true),
        ("GET", "/orgs/mona/settings/billing/actions", &[&good], 404, "Not Found", true),
        ("GET", "/orgs/%FF/settings/billing/actions", &[&good], 404, "Not Found", true),
        ("POST", REPORTS, &[&good], 404, "Not Found", true),
        ("POST", "/v1/usage", &[&good], 404, "Not Found", true),
    ];
    for (method, path, headers, status, message, selected) in table {
        let answer = server.ask(method, path, headers, "");
        assert_eq!(answer.status, status, "{method} {path} {headers:?}");
        assert!(answer.body.starts_with(&format!("{{\"message\":\"{message}\"")), "{method} {path}: {}", answer.body);
        assert_eq!(!answer.header("x-github-api-version-selected").is_empty(), selected, "{method} {path} {headers:?}");
        assert_eq!(answer.header("allow"), "", "an unknown method makes an unknown route");
    }
    let unknown = server.ask("GET", "/no/such/route", &[], "");
    assert_eq!(unknown.body, r#"{"message":"Not Found","documentation_url":"https://docs.github.com/rest","status":"404"}"#);
    let hidden = server.get("/orgs/nobody/settings/billing/packages", good.trim_start_matches("authorization: Bearer "));
    let page = "https://docs.github.com/rest/billing/billing#get-github-packages-billing-for-an-organization";
    assert_eq!(hidden.body, format!(r#"{{"message":"Not Found","documentation_url":"{page}","status":"404"}}"#));
}

#[test]
fn every_form_of_credential_is_read() {
    let folder = Folder::new();
    let token = folder.scopes("mona", "repo");
    let server = folder.serve(&[]);
    for header in
        [format!("Authorization: Bearer {token}"), format!("authorization: token {token}"), format!("authorization: TOKEN {token}")]
    {
        assert_eq!(server.ask("GET", ACTIONS, &[&header], "").body, NO_USAGE, "{header}");
    }
    folder.run(&["token", "revoke", "1"]);
    assert_eq!(server.get(ACTIONS, &token).status, 401, "a revoked token is refused at once");
}

#[test]
fn answers_carry_githubs_headers() {
    let folder = Folder::new();
    let token = folder.scopes("mona", "user,repo");
    let fine = folder.token("mona", "--permissions", "organization_administration:read");
    let server = folder.serve(&[]);
    let answer = server.get(ACTIONS, &token);
    for (name, value) in [
        ("content-type", "application/json; charset=utf-8"),
        ("cache-control", "private, max-age=60, s-maxage=60"),
        ("vary", "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With"),
        ("x-github-media-type", "github.v3; format=json"),
        ("x-github-api-version-selected", "2022-11-28"),
        ("x-oauth-scopes", "repo, user"),
        ("x-accepted-oauth-scopes", "admin:org, repo"),
        ("access-control-allow-origin", "*"),
        ("x-frame-options", "deny"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.header("x-github-request-id").split(':').count(), 5);
    for absent in ["deprecation", "sunset", "x-ratelimit-limit", "strict-transport-security", "x-accepted-github-permissions", "server"] {
        assert_eq!(answer.header(absent), "", "{absent}");
    }
    let newer = server.ask("GET", ACTIONS, &[&bearer(&fine), "x-github-api-version: 2026-03-10"], "");
    assert_eq!(newer.header("x-github-api-version-selected"), "2026-03-10");
    assert_eq!(newer.header("x-accepted-github-permissions"), "organization_administration=read");
    assert_eq!(newer.header("x-oauth-scopes"), "");
    let preflight = server.ask("OPTIONS", ACTIONS, &["origin: https://example.com", "access-control-request-method: GET"], "");
    assert_eq!((preflight.status, preflight.header("access-control-allow-methods")), (204, "GET, POST, PATCH, PUT, DELETE"));
}

#[test]
fn an_answer_that_the_caller_has_already_is_not_sent_again() {
    let folder = Folder::new();
    let token = folder.scopes("mona", "repo,usage:write");
    let server = folder.serve(&[]);
    let first = server.get(ACTIONS, &token);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("W/\"") && tag.len() == 68, "{tag}");
    let asked_again = |tag: &str| server.ask("GET", ACTIONS, &[&bearer(&token), &format!("if-none-match: {tag}")], "");
    let again = asked_again(&tag);
    assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", tag.as_str()));
    assert_eq!(asked_again(tag.trim_start_matches("W/")).status, 304, "compared weakly");
    let head = server.ask("HEAD", ACTIONS, &[&bearer(&token)], "");
    assert_eq!((head.status, head.body.as_str(), head.header("etag")), (200, "", tag.as_str()));
    assert_eq!(head.header("content-length"), first.body.len().to_string());
    server.send(&token, &[usage("alone/web", "1", "2026-11-03T00:00:00Z", "actions_linux", "1")]);
    let changed = asked_again(&tag);
    assert_eq!(changed.status, 200, "an event changes the tag");
    assert!(changed.body.contains("\"UBUNTU\":1,"), "{}", changed.body);
}

#[test]
fn signs_of_life_need_no_token() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    for (path, body) in [
        ("/healthz", r#"{"status":"ok"}"#),
        ("/readyz", r#"{"status":"ready"}"#),
        ("/versions", r#"["2022-11-28","2026-03-10"]"#),
        ("/api/v3/versions", r#"["2022-11-28","2026-03-10"]"#),
    ] {
        let answer = server.ask("GET", path, &[], "");
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{path}");
    }
    assert_eq!(server.get("/versions", "fmt_0").status, 401, "a wrong token is refused even where none is needed");
    let root = server.ask("GET", "/", &[], "");
    assert!(root.body.contains(r#""usage_report_exports_url":"/enterprises/{enterprise}/settings/billing/reports""#), "{}", root.body);
}

/// Who sees which summary: status by login and account.
#[test]
fn roles_open_accounts() {
    let folder = Folder::new();
    let scopes = "repo,user,manage_billing:enterprise,usage:write";
    let tokens = ["root", "bill", "olga", "bob", "mel", "mona", "eve"].map(|login| (login, folder.scopes(login, scopes)));
    let server = folder.serve(&[]);
    let accounts = ["/enterprises/big", "/orgs/inside", "/orgs/alone", "/users/mona"];
    let table = [
        ("root", [200, 200, 404, 404]),
        ("bill", [200, 200, 404, 404]),
        ("olga", [403, 200, 404, 404]),
        ("bob", [403, 200, 404, 404]),
        ("mel", [403, 404, 404, 404]),
        ("mona", [404, 404, 200, 200]),
        ("eve", [404, 404, 404, 404]),
    ];
    for ((login, expected), (_, token)) in table.into_iter().zip(&tokens) {
        for summary in ["actions", "packages", "shared-storage"] {
            for prefix in ["", "/api/v3"] {
                let statuses = accounts.map(|account| server.get(&format!("{prefix}{account}/settings/billing/{summary}"), token).status);
                assert_eq!(statuses, expected, "{login} {prefix} {summary}");
            }
        }
        assert_eq!(server.get(REPORTS, token).status, expected[0], "{login} reports");
        let refused = server.ask("POST", REPORTS, &[&bearer(token)], "{");
        assert_eq!(refused.status, if expected[0] == 200 { 400 } else { expected[0] }, "{login}: the body is looked at last");
    }
    let refused = server.get(REPORTS, &tokens[4].1);
    assert!(refused.body.starts_with(r#"{"message":"Must be an owner or billing manager of the enterprise.","#), "{}", refused.body);
}

#[test]
fn names_have_no_case_and_former_names_lead_on() {
    let folder = Folder::new();
    let token = folder.scopes("olga", "repo");
    let server = folder.serve(&[]);
    for name in ["Inside", "inside", "INSIDE", "old-inside", "Old-Inside"] {
        let answer = server.get(&format!("/orgs/{name}/settings/billing/actions"), &token);
        assert_eq!((answer.status, answer.body.contains("\"included_minutes\":50000")), (200, true), "{name}: {}", answer.body);
    }
}

#[test]
fn a_running_server_sees_applied_accounts_at_once() {
    let folder = Folder::new();
    let token = folder.scopes("eve", "repo");
    let server = folder.serve(&[]);
    assert_eq!(server.get("/orgs/fresh/settings/billing/actions", &token).status, 404);
    folder.apply("[[organization]]\nlogin = \"fresh\"\nplan = \"team\"\nowners = [\"eve\"]\n");
    assert_eq!(server.get("/orgs/fresh/settings/billing/actions", &token).body, NO_USAGE);
}

#[test]
fn the_published_examples_come_out_to_the_digit() {
    let folder = Folder::new();
    let token = folder.scopes("mona", "repo,user,usage:write");
    let server = folder.serve(&[]);
    let mut events = Vec::new();
    for owner in ["alone/web", "mona/dotfiles"] {
        let used = [("actions_linux", "205"), ("actions_macos", "1"), ("actions_windows", "45"), ("packages_bandwidth", "50")];
        events.extend(used.map(|(sku, quantity)| usage(owner, sku, "2026-11-03T10:00:00Z", sku, quantity)));
        let hours = (1..=10).flat_map(|day| (0..24).map(move |hour| format!("2026-11-{day:02}T{hour:02}:00:00Z")));
        events.extend(hours.filter(|time| time.as_str() < "2026-11-10T12").map(|time| usage(owner, &time, &time, "actions_storage", "40")));
    }
    server.send(&token, &events);
    for account in ["/orgs/alone", "/users/mona"] {
        let answers = ["actions", "packages", "shared-storage"]
            .map(|summary| server.get(&format!("{account}/settings/billing/{summary}"), &token).body);
        assert_eq!(
            answers,
            [
                r#"{"total_minutes_used":305,"total_paid_minutes_used":0,"included_minutes":3000,"minutes_used_breakdown":{"UBUNTU":205,"MACOS":10,"WINDOWS":90}}"#,
                r#"{"total_gigabytes_bandwidth_used":50,"total_paid_gigabytes_bandwidth_used":40,"included_gigabytes_bandwidth":10}"#,
                r#"{"days_left_in_billing_cycle":20,"estimated_paid_storage_for_month":15,"estimated_storage_for_month":40}"#,
            ]
        );
    }
}

#[test]
fn an_enterprises_summary_is_that_of_its_organizations_without_weights() {
    let folder = Folder::new();
    let token = folder.scopes("root", "repo,manage_billing:enterprise,usage:write");
    let server = folder.serve(&[]);
    let events = [("actions_linux", "2"), ("actions_macos", "3"), ("actions_linux_8_core", "4"), ("packages_bandwidth", "150")];
    server.send(&token, &events.map(|(sku, quantity)| usage("inside/web", sku, "2026-11-03T10:00:00Z", sku, quantity)));
    let body = |path: &str| server.get(path, &token).body;
    assert_eq!(
        body("/enterprises/BIG/settings/billing/actions"),
        r#"{"total_minutes_used":9,"total_paid_minutes_used":4,"included_minutes":50000,"minutes_used_breakdown":{"UBUNTU":2,"MACOS":3,"WINDOWS":0,"ubuntu_8_core":4}}"#
    );
    assert_eq!(
        body("/orgs/inside/settings/billing/actions"),
        r#"{"total_minutes_used":36,"total_paid_minutes_used":4,"included_minutes":50000,"minutes_used_breakdown":{"UBUNTU":2,"MACOS":30,"WINDOWS":0,"ubuntu_8_core":4}}"#
    );
    let packages = r#"{"total_gigabytes_bandwidth_used":150,"total_paid_gigabytes_bandwidth_used":50,"included_gigabytes_bandwidth":100}"#;
    assert_eq!([body("/enterprises/big/settings/billing/packages"), body("/orgs/inside/settings/billing/packages")], [packages, packages]);
}

#[test]
fn retired_summaries_are_gone_for_those_who_could_see_them() {
    let folder = Folder::new();
    let token = folder.scopes("mona", "repo,user");
    let server = folder.serve(&["--retired-endpoints", "410"]);
    let gone = |page: &str| {
        format!(
            r#"{{"message":"This endpoint has been moved.","documentation_url":"https://gh.io/billing-api-updates-{page}","status":"410"}}"#
        )
    };
    assert_eq!(server.get(ACTIONS, &token).body, gone("org"));
    assert_eq!(server.get("/api/v3/users/mona/settings/billing/shared-storage", &token).body, gone("user"));
    assert_eq!(server.get("/orgs/inside/settings/billing/actions", &token).status, 404);
    assert_eq!(server.ask("GET", ACTIONS, &[], "").status, 401);
}

#[test]
fn requests_under_way_finish_after_the_signal_to_stop_and_usage_is_sealed() {
    let folder = Folder::new();
    let token = folder.scopes("mona", "repo,usage:write");
    let server = folder.serve(&[]);
    let event = usage("alone/web", "last", "2026-11-03T10:00:00Z", "actions_linux", "7");
    let (first, rest) = event.split_at(40);
    let mut upload = server.connect();
    let head = format!("POST /v1/usage HTTP/1.1\r\nhost: x\r\n{}\r\ncontent-length: {}\r\n\r\n{first}", bearer(&token), event.len());
    upload.write_all(head.as_bytes()).unwrap();
    // The server has this connection once it has answered a later one.
    assert_eq!(server.ask("GET", "/readyz", &[], "").status, 200);
    server.terminate();
    while TcpStream::connect(&server.address).is_ok() {}
    upload.write_all(rest.as_bytes()).unwrap();
    let answer = Answer::read(&mut upload);
    assert!(answer.status == 200 && answer.body.starts_with("{\"accepted\":1,"), "{}", answer.body);
    assert_eq!(server.wait(), (Some(0), String::new()), "a clean stop has nothing to say");
    let files = std::fs::read_dir(folder.data().join("segments")).unwrap().count();
    assert!(files > 0, "a clean stop seals");
    let again = folder.serve(&[]);
    assert!(again.get(ACTIONS, &token).body.contains("\"UBUNTU\":7,"));
}

#[test]
fn a_folder_is_served_by_one_process() {
    let folder = Folder::new();
    let _server = folder.serve(&[]);
    let second = forgemeter().args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.data()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(told.contains("is in use by another process"), "{told}");
}

#[test]
fn settings_come_from_flags_before_the_environment_before_the_file() {
    let folder = Folder::new();
    let token = folder.scopes("mona", "repo");
    let file = folder.data().join("settings.toml");
    let serve = |variable: Option<&str>, flag: Option<&str>, text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = forgemeter();
        command.args(["serve", "--config"]).arg(&file).arg("--data").arg(folder.data()).args(["--now", NOW]);
        command.args(flag.map(|status| format!("--retired-endpoints={status}")));
        variable.map(|status| command.env("FORGEMETER_RETIRED_ENDPOINTS", status));
        command
    };
    let text = "listen = \"127.0.0.1:0\"\nretired_endpoints = 410\n";
    for (variable, flag, status) in [(None, None, 410), (Some("200"), None, 200), (Some("200"), Some("410"), 410)] {
        let server = Server::start(serve(variable, flag, text));
        assert_eq!(server.get(ACTIONS, &token).status, status, "{variable:?} {flag:?}");
    }
    let refused = serve(None, None, "listne = \"127.0.0.1:0\"\n").output().unwrap();
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(told.contains("settings.toml:1: unknown key `listne` in the settings; the nearest known is `listen`"), "{told}");
}

#[test]
fn a_caller_that_dawdles_over_its_headers_is_let_go() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    let started = Instant::now();
    let beginnings = ["", "PRI * HT", "GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: "];
    let mut streams = beginnings.map(|beginning| {
        let mut stream = server.connect();
        stream.write_all(beginning.as_bytes()).unwrap();
        stream
    });
    for (stream, beginning) in streams.iter_mut().zip(beginnings) {
        let mut left = Vec::new();
        // A reset ends a connection as well as a close does.
        drop(stream.read_to_end(&mut left));
        assert!((8..30).contains(&started.elapsed().as_secs()), "{beginning:?} after {:?}", started.elapsed());
    }
    assert_eq!(server.ask("GET", "/healthz", &[], "").status, 200);
}

#[test]
fn what_is_no_http_is_refused_and_the_server_goes_on() {
    let folder = Folder::new();
    let server = folder.serve(&[]);
    for bytes in [
        "\u{16}\u{3}\u{1}",
        "GET\r\n\r\n",
        "POST /v1/usage HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcde",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    ] {
        let mut stream = server.connect();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        let text = String::from_utf8_lossy(&answer);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400 "), "{bytes:?}: {text}");
        assert_eq!(text.matches("HTTP/1.1 ").count().max(1), 1, "never two answers");
    }
    let long = format!("x-long: {}", "x".repeat(70_000));
    let mut stream = server.connect();
    // The server may close before it has read everything.
    drop(write!(stream, "GET /healthz HTTP/1.1\r\nhost: x\r\n{long}\r\n\r\n"));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(server.ask("GET", "/healthz", &[], "").status, 200);
}
