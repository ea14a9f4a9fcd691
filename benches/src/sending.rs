//! Bodies of usage over a few connections, each sending the next body when it has its answer or when the body is due.
//!
//! Counts what the server says about the events, and when; checking the counts is left to the parts.

use crate::bodies::Bodies;
use crate::http::Response;
use crate::latency::Latencies;
use crate::machine;
use crate::server::Server;
use crate::table::{Rate, float};
use anyhow::{Context, Result};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub(crate) const CONNECTIONS: usize = 8;
/// The pause before a body is sent again that the server had no room for.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
const BUSY: u16 = 503;

#[derive(Debug)]
pub(crate) struct Sending<'a> {
    pub(crate) server: &'a Server,
    pub(crate) bodies: &'a Bodies,
    pub(crate) events_per_body: u64,
    /// Only the first so many events of the file.
    pub(crate) events: u64,
    /// Bodies a second; without it as fast as they are answered.
    pub(crate) pace: Option<Rate>,
}

/// What became of the events of all bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verdicts {
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) conflict: u64,
    pub(crate) rejected: u64,
    /// Bodies that had to be sent again.
    pub(crate) busy: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) latencies: Latencies,
    pub(crate) verdicts: Verdicts,
    pub(crate) time: Duration,
    /// Processor time of the server and of this process.
    pub(crate) server_time: Duration,
    pub(crate) client_time: Duration,
    /// When how many events were answered, in order of time.
    answers: Vec<(Duration, u64)>,
}

impl Sent {
    pub(crate) fn events(&self) -> u64 {
        self.answers.iter().map(|(_, events)| events).sum()
    }

    pub(crate) fn rate(&self) -> Rate {
        Rate::of(self.events(), self.time)
    }

    /// The mean rate between two counts of answered events.
    pub(crate) fn rate_between(&self, events: Range<u64>) -> Rate {
        Rate::of(events.end - events.start, self.reached(events.end).saturating_sub(self.reached(events.start)))
    }

    /// When so many events were answered.
    fn reached(&self, wanted: u64) -> Duration {
        let mut count = 0;
        for (time, events) in &self.answers {
            if count >= wanted {
                return *time;
            }
            count += events;
        }
        self.answers.last().map_or(Duration::ZERO, |(time, _)| *time)
    }
}

impl Sending<'_> {
    pub(crate) fn run(&self) -> Result<Sent> {
        let chunks = usize::try_from(self.events.div_ceil(self.events_per_body))?;
        let ranges: Vec<Range<u64>> = self.bodies.ranges(self.events_per_body).into_iter().take(chunks).collect();
        let (server_before, own_before) = (self.server.processor_time()?, own_time()?);
        let (next, began) = (AtomicUsize::new(0), Instant::now());
        let parts = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(|| self.connection(&ranges, &next, began))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a sender does not panic")).collect::<Result<Vec<Sent>>>()
        })?;
        let mut sent = Sent { time: began.elapsed(), ..Sent::default() };
        for part in parts {
            sent.latencies.append(part.latencies);
            sent.answers.extend(part.answers);
            sent.verdicts.add(part.verdicts);
        }
        sent.answers.sort_unstable();
        sent.server_time = self.server.processor_time()?.saturating_sub(server_before);
        sent.client_time = own_time()?.saturating_sub(own_before);
        Ok(sent)
    }

    fn connection(&self, ranges: &[Range<u64>], next: &AtomicUsize, began: Instant) -> Result<Sent> {
        let (mut client, mut file) = (self.server.client()?, self.bodies.open()?);
        let mut sent = Sent::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(range) = ranges.get(number) else { return Ok(sent) };
            let due = match self.pace {
                Some(rate) => began + Duration::from_secs_f64(float(u64::try_from(number)?) / rate.0),
                None => Instant::now(),
            };
            pause(due.saturating_duration_since(Instant::now()));
            let mut response = client.post_file("/v1/usage", &mut file, range)?;
            while response.status == BUSY {
                sent.verdicts.busy += 1;
                pause(BUSY_PAUSE);
                response = client.post_file("/v1/usage", &mut file, range)?;
            }
            sent.latencies.push(due.elapsed());
            let verdicts = Verdicts::read(&response)?;
            sent.answers.push((began.elapsed(), verdicts.events()));
            sent.verdicts.add(verdicts);
        }
    }
}

impl Verdicts {
    fn read(response: &Response) -> Result<Verdicts> {
        let json = response.json()?;
        let count = |name: &str| json[name].as_u64().with_context(|| format!("an answer without `{name}`: {json}"));
        let (accepted, duplicate) = (count("accepted")?, count("duplicate")?);
        Ok(Verdicts { accepted, duplicate, conflict: count("conflict")?, rejected: count("rejected")?, busy: 0 })
    }

    fn events(&self) -> u64 {
        self.accepted + self.duplicate + self.conflict + self.rejected
    }

    fn add(&mut self, other: Verdicts) {
        self.accepted += other.accepted;
        self.duplicate += other.duplicate;
        self.conflict += other.conflict;
        self.rejected += other.rejected;
        self.busy += other.busy;
    }
}

#[expect(clippy::disallowed_methods, reason = "a fixed rate is a time to wait for, not an event")]
pub(crate) fn pause(time: Duration) {
    if time > Duration::ZERO {
        std::thread::sleep(time);
    }
}

fn own_time() -> Result<Duration> {
    Ok(Duration::from_millis(10 * machine::processor_centiseconds(std::process::id())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_taken_between_counts() {
        let answers = (1..=10).map(|second| (Duration::from_secs(second), 100)).collect();
        let sent = Sent { answers, time: Duration::from_secs(10), ..Sent::default() };
        assert_eq!((sent.events(), sent.rate()), (1000, Rate(100.0)));
        assert_eq!(sent.rate_between(200..700), Rate(100.0));
        assert_eq!(sent.rate_between(500..1000), Rate(125.0));
    }

    #[test]
    fn verdicts_are_read_and_added() {
        let body = br#"{"accepted":7,"duplicate":1,"conflict":0,"rejected":2,"sequence":"1-7","events":[]}"#;
        let mut verdicts = Verdicts::read(&Response { status: 200, body: body.to_vec() }).unwrap();
        verdicts.add(Verdicts { busy: 3, ..verdicts });
        assert_eq!(verdicts, Verdicts { accepted: 14, duplicate: 2, conflict: 0, rejected: 4, busy: 3 });
        assert!(Verdicts::read(&Response { status: 200, body: b"{}".to_vec() }).is_err());
    }
}
