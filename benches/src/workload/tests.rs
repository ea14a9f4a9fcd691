//! The generator: the same events for the same numbers, in the shares that are promised, and texts that the readers take.
//!
//! Shares are counted over a sample; the ranges around them are several standard deviations wide.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

const SAMPLE: u64 = 200_000;

fn sample() -> (Workload, Vec<Event>) {
    let workload = Workload::new(SAMPLE);
    let events = (0..SAMPLE).map(|number| workload.event(number)).collect();
    (workload, events)
}

fn json(workload: &Workload, number: u64, kind: Kind, spelling: Spelling) -> String {
    let mut out = Vec::new();
    workload.write_json(number, kind, spelling, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn an_event_is_a_function_of_its_number() {
    let (workload, events) = sample();
    let again = Workload::new(SAMPLE);
    for number in [0, 1, 17, 199_999] {
        assert_eq!(events[usize::try_from(number).unwrap()], again.event(number));
    }
    let first = r#"{"specversion":"1.0","type":"usage.recorded","source":"/runners","id":"#;
    assert!(json(&workload, 5, Kind::UsageRecorded, Spelling::AsCreated).starts_with(first));
}

#[test]
fn owners_and_skus_follow_the_law_of_zipf() {
    let (_, events) = sample();
    let mut owners: BTreeMap<u32, u64> = BTreeMap::new();
    let mut skus: BTreeMap<usize, u64> = BTreeMap::new();
    for event in &events {
        *owners.entry(event.owner).or_default() += 1;
        *skus.entry(event.sku).or_default() += 1;
    }
    assert_eq!((owners.len(), skus.len()), (200, 25));
    // The 200th harmonic number is 5.878: the first owner has 17.0 %, the tenth 1.70 %.
    assert!((33_000..35_100).contains(&owners[&0]), "{}", owners[&0]);
    assert!((3_100..3_700).contains(&owners[&9]), "{}", owners[&9]);
}

#[test]
fn repositories_belong_to_one_owner_and_workflows_to_one_repository() {
    let (_, events) = sample();
    for event in &events {
        assert_eq!(event.repository / 100, event.owner);
        assert!(event.user < USERS && event.workflow < WORKFLOWS);
        assert!(event.workflow == event.repository || (event.workflow - REPOSITORIES) * 2 == event.repository);
    }
}

#[test]
fn one_event_in_two_hundred_is_an_earlier_one_again() {
    let (workload, events) = sample();
    let distinct: BTreeSet<u128> = events.iter().map(|event| event.identity).collect();
    let repeated = (0..SAMPLE).filter(|number| workload.is_duplicate(*number)).count();
    assert_eq!(events.len() - distinct.len(), repeated);
    assert!((850..1150).contains(&repeated), "{repeated}");
}

#[test]
fn one_event_in_a_hundred_is_late_by_at_most_two_days() {
    let (workload, events) = sample();
    let month = workload.first_month();
    let mut latest = month.first_second();
    let mut late = 0;
    for (number, event) in events.iter().enumerate().filter(|(number, _)| !workload.is_duplicate(u64::try_from(*number).unwrap())) {
        late += u64::from(event.time < latest);
        latest = latest.max(event.time);
        assert!(event.time + LATE_SECONDS_MAX >= latest, "event {number}");
        assert!((month.first_second()..month.first_second() + month.seconds()).contains(&event.time));
    }
    assert!((1_800..2_200).contains(&late), "{late}");
}

#[test]
fn long_runs_go_on_in_the_next_months() {
    let workload = Workload::new(25_000_000);
    assert_eq!(workload.last_month().days()[0], "2026-03-01");
    let march = workload.last_month();
    assert!(
        (0..100)
            .map(|step| workload.event(20_000_000 + step * 50_000))
            .all(|event| event.time + 3 * SECONDS_PER_DAY > march.first_second())
    );
    // The same events whatever the length of a long run.
    assert_eq!(workload.event(12_345_678), Workload::new(50_000_000).event(12_345_678));
}

#[test]
fn other_events_have_other_identities() {
    let (_, events) = sample();
    let known: BTreeSet<u128> = events.iter().map(|event| event.identity).collect();
    let others = Workload::others(SAMPLE);
    assert!((0..SAMPLE).all(|number| !known.contains(&others.event(number).identity)));
}

#[test]
fn shares_end_with_the_last_month_and_do_not_meet() {
    let others = Workload::others(25_000_000);
    let (alone, tail) = (others.last(1000, Share::Alone), others.last(30_000_000, Share::Tail));
    assert!(alone.end <= tail.start);
    let month = others.last_month();
    assert!(
        [alone, tail].iter().all(|range| others.event(range.end - 1).time + 3 * SECONDS_PER_DAY > month.first_second() + month.seconds())
    );
}

#[test]
fn events_are_json_of_about_300_bytes() {
    let (workload, _) = sample();
    let mut bytes = 0;
    for number in 0..1000 {
        let line = json(&workload, number, Kind::UsageRecorded, Spelling::AsCreated);
        let event: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(event["data"]["quantity"].is_number() && event["subject"].as_str().unwrap().starts_with("org-"));
        let job = json(&workload, number, Kind::CiJobCompleted, Spelling::Shouted);
        let job: serde_json::Value = serde_json::from_str(&job).unwrap();
        assert!(job["data"]["runner_labels"].is_array() && job["subject"].as_str().unwrap().starts_with("ORG-"));
        assert!(job["data"]["started_at"].as_str() <= job["data"]["completed_at"].as_str());
        bytes += line.len();
    }
    assert!((290..320).contains(&(bytes / 1000)), "{} bytes", bytes / 1000);
}

#[test]
fn baselines_get_the_same_values() {
    let (workload, _) = sample();
    let mut out = Vec::new();
    workload.write_tsv(7, &mut out);
    let line = String::from_utf8(out).unwrap();
    let event: serde_json::Value = serde_json::from_str(&json(&workload, 7, Kind::UsageRecorded, Spelling::AsCreated)).unwrap();
    let data = &event["data"];
    let values: Vec<&str> = line.trim_end().split('\t').collect();
    assert_eq!(values[..3], [event["id"].as_str().unwrap(), event["time"].as_str().unwrap(), data["sku"].as_str().unwrap()]);
    assert_eq!(format!("{}/{}", values[3], values[4]), event["subject"]);
    assert_eq!(values[5..], [data["username"].as_str().unwrap(), data["workflow_path"].as_str().unwrap(), &data["quantity"].to_string()]);
}
