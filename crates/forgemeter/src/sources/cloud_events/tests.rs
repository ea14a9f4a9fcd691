//! One row for each rule of the door, on whole events: what is taken as what, and which field and reason a refusal names.
//! Whatever comes, nothing panics.

use super::*;
use billing::{Quantity, UtcTime, Visibility};
use proptest::prelude::*;

const RECORDED: &str = r#"{"specversion":"1.0","type":"usage.recorded","source":"/runners/eu-1","id":"e1","time":"2026-11-03T10:15:00Z","subject":"acme/web","data":{"sku":"actions_linux","quantity":"12.5","username":"mona","workflow_path":".github/workflows/ci.yml","visibility":"internal"}}"#;

const JOB: &str = r#"{"specversion":"1.0","type":"ci.job.completed","source":"/forge","id":"j1","time":"2026-11-04T00:00:00Z","subject":"acme/web","data":{"runner_labels":["ubuntu-latest"],"started_at":"2026-11-03T10:00:00Z","completed_at":"2026-11-03T10:02:01Z","conclusion":"success","run_id":7,"run_attempt":1,"job_id":9}}"#;

/// Acme and Mona exist and may be sent for.
fn owner_of(login: &str) -> Option<AccountId> {
    match billing::account::folded(login).as_str() {
        "acme" => Some(AccountId(1)),
        "mona" => Some(AccountId(2)),
        _ => None,
    }
}

fn one(json: &str) -> Result<UsageEvent, Rejection> {
    let mut entries = decode(json.as_bytes(), Form::Lines, owner_of).unwrap();
    assert_eq!(entries.len(), 1, "{json}");
    entries.remove(0).event
}

/// The event with one of its texts replaced.
fn changed(event: &str, from: &str, to: &str) -> String {
    assert!(event.contains(from), "`{from}` stands in the event");
    event.replacen(from, to, 1)
}

fn check_rejections(event: &str, table: &[(&str, &str, &str, &str)]) {
    for (from, to, field, reason) in table {
        let rejection = one(&changed(event, from, to)).expect_err(to);
        assert_eq!((rejection.field, rejection.reason.as_str()), (*field, *reason), "{to}");
    }
}

#[test]
fn recorded_usage_is_taken_as_it_stands() {
    let event = one(RECORDED).unwrap();
    assert_eq!((&*event.source, &*event.id, &*event.sku), ("/runners/eu-1", "e1", "actions_linux"));
    assert_eq!((event.owner, event.repository.as_deref()), (AccountId(1), Some("web")));
    assert_eq!(event.quantity, Quantity::parse("12.5").unwrap());
    assert_eq!((event.time, event.used_at), (event.time, UtcTime::parse("2026-11-03T10:15:00Z").unwrap()));
    assert_eq!((event.username.as_deref(), event.workflow_path.as_deref()), (Some("mona"), Some(".github/workflows/ci.yml")));
    assert_eq!((event.visibility, event.model, event.job), (Visibility::Internal, None, None));
}

#[test]
fn a_job_becomes_minutes_of_its_runner_at_its_end() {
    let event = one(JOB).unwrap();
    assert_eq!((&*event.sku, event.quantity), ("actions_linux", Quantity::whole(3)));
    assert_eq!(event.used_at, UtcTime::parse("2026-11-03T10:02:01Z").unwrap());
    assert_eq!(event.time, UtcTime::parse("2026-11-04T00:00:00Z").unwrap());
    let job = event.job.unwrap();
    assert_eq!((job.run_id, job.run_attempt, job.job_id, job.conclusion.as_deref()), (7, 1, 9, Some("success")));
    for (from, to) in [(r#""started_at":"2026-11-03T10:00:00Z""#, r#""started_at":null"#), ("success", "skipped")] {
        assert_eq!(one(&changed(JOB, from, to)).unwrap().quantity, Quantity::ZERO, "{to}");
    }
}

#[test]
fn what_means_the_same_is_the_same_event() {
    let event = one(RECORDED).unwrap();
    let table = [
        (r#""12.5""#, "12.5"),
        (r#""12.5""#, "1.25e1"),
        (r#""12.5""#, r#""12.50""#),
        ("2026-11-03T10:15:00Z", "2026-11-03T11:15:00.000+01:00"),
        (r#""subject":"acme/web""#, r#""subject":"ACME\/web""#),
        (r#""specversion""#, r#""unknown":{"deep":[1,{}]},"specversion""#),
        (r#""sku""#, r#""unknown":1e400,"sku""#),
        (r#""sku""#, r#""model":null,"input_tokens":0,"sku""#),
        (r#""sku""#, r#""model":"","sku""#),
        (r#""sku""#, r#""sk\u0075""#),
    ];
    for (from, to) in table {
        assert_eq!(one(&changed(RECORDED, from, to)), Ok(event.clone()), "{to}");
    }
    let tokens =
        one(&changed(RECORDED, r#""sku""#, r#""input_tokens":1,"output_tokens":2,"cache_read_tokens":3,"cache_write_tokens":4,"sku""#))
            .unwrap()
            .tokens;
    assert_eq!((tokens.input, tokens.output, tokens.cache_read, tokens.cache_write), (1, 2, 3, 4));
    assert_eq!(one(&changed(RECORDED, "acme/web", "mona")).map(|event| (event.owner, event.repository)), Ok((AccountId(2), None)));
    assert_eq!(one(&changed(RECORDED, "internal", "")).map(|event| event.visibility), Ok(Visibility::Private));
}

#[test]
fn each_rule_of_the_envelope_names_its_field() {
    let no_owner = "names no owner that this token may send usage of";
    let types = "is none of `usage.recorded`, `ci.job.completed`";
    check_rejections(
        RECORDED,
        &[
            (r#""specversion":"1.0","#, "", "specversion", "is missing"),
            (r#""1.0""#, r#""0.3""#, "specversion", "is not `1.0`"),
            (r#""1.0""#, "1.0", "specversion", "is not a string"),
            ("usage.recorded", "usage.invented", "type", types),
            ("usage.recorded", "storage.sampled", "type", types),
            (r#""type":"usage.recorded","#, "", "type", "is missing"),
            (r#""e1""#, r#""""#, "id", "is empty"),
            (r#""e1""#, "7", "id", "is not a string"),
            (r#""id":"e1","#, "", "id", "is missing"),
            (r#""e1""#, r#""e\n1""#, "id", "holds a control character"),
            (r#""e1""#, r#""\ud800""#, "id", "holds an escape that is no character"),
            (r#""/runners/eu-1""#, "null", "source", "is missing"),
            (r#""/runners/eu-1""#, r#""""#, "source", "is empty"),
            (r#""time":"2026-11-03T10:15:00Z","#, "", "time", "is missing"),
            ("2026-11-03T10:15:00Z", "2026-11-03 10:15", "time", "is not an RFC 3339 date-time such as 2026-11-03T10:15:00Z"),
            ("2026-11-03T10:15:00Z", "1999-12-31T23:59:59Z", "time", "is outside the years 2000 to 9998"),
            (r#""subject":"acme/web","#, "", "subject", "is missing"),
            ("acme/web", "acme/", "subject", "is neither `owner/repository` nor `owner`"),
            ("acme/web", "/web", "subject", "is neither `owner/repository` nor `owner`"),
            ("acme/web", "acme/web/x", "subject", "is neither `owner/repository` nor `owner`"),
            ("acme/web", "nobody/web", "subject", no_owner),
            (r#""data":{"#, r#""data_base64":"aGk=","data":{"#, "data_base64", "is not read; send `data` as a JSON object"),
            (r#","data":"#, r#","other":"#, "data", "is missing"),
            (r#""data":{"#, r#""data":"{}","other":{"#, "data", "is not a JSON object"),
            (r#""data":{"#, r#""data":[1],"other":{"#, "data", "is not a JSON object"),
            (r#""id":"e1""#, r#""id":"e1","id":"e2""#, "event", "is not valid: duplicate field `id`, at column 84"),
        ],
    );
}

#[test]
fn each_rule_of_the_data_names_its_field() {
    let number = "is not a decimal number";
    check_rejections(
        RECORDED,
        &[
            ("actions_linux", "Actions Linux", "data.sku", "is no SKU: lower-case letters, digits and `_`, beginning with a letter"),
            (r#""sku":"actions_linux","#, "", "data.sku", "is missing"),
            (r#""12.5""#, r#""NaN""#, "data.quantity", number),
            (r#""12.5""#, r#"" 1""#, "data.quantity", number),
            (r#""12.5""#, "true", "data.quantity", number),
            (r#""12.5""#, "{}", "data.quantity", number),
            (r#""12.5""#, "1e400", "data.quantity", "is greater than 10^12"),
            (r#""12.5""#, "-0.5", "data.quantity", "is negative"),
            (r#""12.5""#, "null", "data.quantity", "is missing"),
            (r#""mona""#, "7", "data.username", "is not a string"),
            ("mona", "mo\\u0007na", "data.username", "holds a control character"),
            ("mona", "mo\\u009bna", "data.username", "holds a control character"),
            ("internal", "secret", "data.visibility", "is none of `private`, `internal`, `public`"),
            (r#""sku""#, r#""input_tokens":-1,"sku""#, "data.input_tokens", "is not a whole number from 0 to 1000000000000"),
            (r#""sku""#, r#""output_tokens":1e3,"sku""#, "data.output_tokens", "is not a whole number from 0 to 1000000000000"),
        ],
    );
    let whole = "is not a whole number from 0 to 18446744073709551615";
    check_rejections(
        JOB,
        &[
            (r#"["ubuntu-latest"]"#, r#""ubuntu-latest""#, "data.runner_labels", "is not a list of strings"),
            (r#"["ubuntu-latest"]"#, "[1]", "data.runner_labels", "is not a string"),
            (r#"["ubuntu-latest"]"#, r#"[""]"#, "data.runner_labels", "is empty"),
            (r#""run_id":7"#, r#""run_id":-7"#, "data.run_id", whole),
            (r#""run_attempt":1"#, r#""run_attempt":1.5"#, "data.run_attempt", whole),
            (r#""job_id":9"#, r#""job_id":"9""#, "data.job_id", whole),
            (r#","job_id":9"#, "", "data.job_id", "is missing"),
            ("2026-11-03T10:02:01Z", "2026-11-03T09:59:59Z", "data.completed_at", "lies before `started_at`"),
            (r#""2026-11-03T10:02:01Z""#, "null", "data.completed_at", "is missing"),
            ("2026-11-03T10:00:00Z", "0001-01-01T00:00:00Z", "data.started_at", "is outside the years 2000 to 9998"),
        ],
    );
}

#[test]
fn texts_past_their_bound_are_refused_by_name() {
    let long = "x".repeat(10_000);
    let name = "is longer than 256 bytes";
    let recorded = [
        ("e1", "id", name),
        ("/runners/eu-1", "source", name),
        ("usage.recorded", "type", name),
        ("acme/web", "subject", "is longer than 513 bytes"),
        ("2026-11-03T10:15:00Z", "time", name),
        ("actions_linux", "data.sku", "is longer than 100 bytes"),
        ("mona", "data.username", name),
        (".github/workflows/ci.yml", "data.workflow_path", "is longer than 1024 bytes"),
        ("internal", "data.visibility", name),
    ];
    for (text, field, reason) in recorded {
        check_rejections(RECORDED, &[(text, &long, field, reason)]);
    }
    check_rejections(JOB, &[("ubuntu-latest", &long, "data.runner_labels", name), ("success", &long, "data.conclusion", name)]);
    let labels = vec!["\"a\""; 101].join(",");
    check_rejections(JOB, &[(r#""ubuntu-latest""#, &labels, "data.runner_labels", "holds more than 100 labels")]);
    let cores = format!("ubuntu-{}core", "9".repeat(200));
    check_rejections(JOB, &[("ubuntu-latest", &cores, "data.runner_labels", "names a runner size that is no part of a SKU")]);
    let subject = format!("acme/{}", "x".repeat(257));
    check_rejections(RECORDED, &[("acme/web", &subject, "subject", "names an owner or a repository longer than 256 bytes")]);
    let event = changed(RECORDED, "{", &format!("{{\"padding\":\"{}\",", "x".repeat(EVENT_BYTES_MAX)));
    assert_eq!(one(&event).unwrap_err(), Rejection::new("event", "is longer than 65536 bytes"));
}

#[test]
fn a_broken_line_is_refused_alone_with_its_number_and_id() {
    let unknown_owner = changed(RECORDED, "acme", "nobody");
    let mut body = format!("{RECORDED}\n\n{{\"specversion\":\n{unknown_owner}\r\n[1,2]\n42\n").into_bytes();
    body.extend(b"\"\xff\"\n");
    body.extend(JOB.as_bytes());
    let entries = decode(&body, Form::Lines, owner_of).unwrap();
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| {
            (entry.line, entry.id.as_deref(), entry.event.as_ref().err().map(|rejection| (rejection.field, rejection.reason.as_str())))
        })
        .collect();
    let expected = [
        (1, Some("e1"), None),
        (3, None, Some(("event", "is not valid: EOF while parsing a value, at column 15"))),
        (4, Some("e1"), Some(("subject", "names no owner that this token may send usage of"))),
        (5, None, Some(("event", "is not a JSON object"))),
        (6, None, Some(("event", "is not a JSON object"))),
        (7, None, Some(("event", "is not UTF-8 at byte 2"))),
        (8, Some("j1"), None),
    ];
    assert_eq!(seen, expected);
}

/// Bytes that are nearly events: a valid body with some of its bytes replaced, and cut off somewhere.
fn nearly_events() -> impl Strategy<Value = Vec<u8>> {
    let body = format!("{RECORDED}\n{JOB}\n[{RECORDED},{JOB}]").into_bytes();
    let length = body.len();
    let edits = proptest::collection::vec((0..length, any::<u8>()), 0..20);
    (Just(body), edits, 0..length, 0..=length).prop_map(|(mut body, edits, from, to)| {
        for (place, byte) in edits {
            body[place] = byte;
        }
        body[from.min(to)..to].to_vec()
    })
}

fn any_form() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Lines), Just(Form::Document), Just(Form::Unknown)]
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300), form in any_form()) {
        drop(decode(&body, form, owner_of));
    }

    #[test]
    fn nothing_near_an_event_makes_it_panic_and_lines_only_rise(body in nearly_events(), form in any_form()) {
        if let Ok(entries) = decode(&body, form, owner_of) {
            prop_assert!(entries.is_sorted_by(|a, b| a.line < b.line));
        }
    }

    #[test]
    fn any_quantity_that_is_taken_is_within_the_door(text in "-?[0-9]{1,30}(\\.[0-9]{0,30})?([eE][+-]?[0-9]{1,4})?") {
        for quoted in [text.clone(), format!("\"{text}\"")] {
            if let Ok(event) = one(&changed(RECORDED, "\"12.5\"", &quoted)) {
                prop_assert!(event.quantity >= Quantity::ZERO && event.quantity <= Quantity::MAX);
            }
        }
    }
}
