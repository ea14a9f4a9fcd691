//! Many small requests over many connections, from one thread: as fast as they are answered, or at a fixed rate.
//!
//! At a fixed rate a request's time counts from the moment at which it was due, so that a server that stands still cannot hide it.
//! What waits is one epoll; the kernel's timer wakes it for requests that are due.

mod connection;

use crate::latency::Latencies;
use crate::table::{Rate, float};
use anyhow::{Result, ensure};
use connection::{Connection, Progress};
use rustix::event::epoll;
use rustix::fs::Timespec;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How often requests that are due are sent: far below the times that are measured, far above what a wake-up costs.
const TICK: Duration = Duration::from_micros(100);
const EVENTS_AT_ONCE: usize = 64;
const TIMER: u64 = u64::MAX;
/// An answer that takes longer is a failure of the run.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is sent, and how.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) requests: &'a [Vec<u8>],
    pub(crate) pace: Pace,
    pub(crate) until: Until,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// Each connection sends its next request when it has its answer.
    AsAnswered,
    /// So many requests a second in all.
    Fixed(Rate),
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    /// Each request was sent once.
    AllSent,
    /// This long, with the requests again and again. What the first tenth takes does not count.
    Time(Duration),
}

#[derive(Debug)]
pub(crate) struct Outcome {
    /// At a fixed rate with those that were due and could not even be sent: they count as answered at the end, the least they took.
    pub(crate) latencies: Latencies,
    answered: u64,
    time: Duration,
}

impl Outcome {
    /// Answers a second.
    pub(crate) fn rate(&self) -> Rate {
        Rate::of(self.answered, self.time)
    }
}

/// Sends and measures. Any answer but a success is an error.
pub(crate) fn run(plan: &Plan<'_>) -> Result<Outcome> {
    ensure!(!plan.requests.is_empty() && plan.connections > 0, "nothing to send");
    let mut load = Load::new(plan)?;
    load.work()?;
    let answered = u64::try_from(load.latencies.count()).expect("a run is finite");
    let time = load.counted_until.saturating_duration_since(load.counted_from);
    load.count_unsent();
    Ok(Outcome { latencies: load.latencies, answered, time })
}

struct Load<'a> {
    plan: &'a Plan<'a>,
    epoll: OwnedFd,
    timer: OwnedFd,
    connections: Vec<Connection>,
    idle: Vec<usize>,
    sent: u64,
    answered: u64,
    began: Instant,
    counted_from: Instant,
    counted_until: Instant,
    latencies: Latencies,
}

impl<'a> Load<'a> {
    fn new(plan: &'a Plan<'a>) -> Result<Load<'a>> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        epoll::add(&epoll, &timer, epoll::EventData::new_u64(TIMER), epoll::EventFlags::IN)?;
        let mut connections = Vec::new();
        for number in 0..plan.connections {
            let connection = Connection::open(plan.address)?;
            let data = epoll::EventData::new_u64(u64::try_from(number).expect("few connections"));
            // Edges only: a connection is read and written until it would block.
            epoll::add(&epoll, connection.stream(), data, epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET)?;
            connections.push(connection);
        }
        let began = Instant::now();
        let warm = if let Until::Time(time) = plan.until { time / 10 } else { Duration::ZERO };
        let idle = (0..plan.connections).rev().collect();
        let (counted_from, latencies) = (began + warm, Latencies::default());
        Ok(Load { plan, epoll, timer, connections, idle, sent: 0, answered: 0, began, counted_from, counted_until: began, latencies })
    }

    fn work(&mut self) -> Result<()> {
        if let Pace::Fixed(_) = self.plan.pace {
            let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: tick, it_value: tick })?;
        }
        self.began = Instant::now();
        loop {
            self.send_what_is_due()?;
            if self.is_over() && self.answered == self.sent {
                return Ok(());
            }
            self.wait()?;
        }
    }

    /// Whether nothing more will be sent.
    fn is_over(&self) -> bool {
        match self.plan.until {
            Until::AllSent => self.sent == u64::try_from(self.plan.requests.len()).expect("a run is finite"),
            Until::Time(time) => self.began.elapsed() >= time,
        }
    }

    fn send_what_is_due(&mut self) -> Result<()> {
        while !self.idle.is_empty() && !self.is_over() {
            let due = self.due(self.sent);
            if due > Instant::now() {
                return Ok(());
            }
            let Some(number) = self.idle.pop() else { return Ok(()) };
            let requests = u64::try_from(self.plan.requests.len()).expect("a run is finite");
            let request = usize::try_from(self.sent % requests).expect("a place in memory");
            self.connections[number].begin(request, due, self.plan.requests)?;
            self.sent += 1;
        }
        Ok(())
    }

    fn due(&self, request: u64) -> Instant {
        match self.plan.pace {
            Pace::AsAnswered => Instant::now(),
            Pace::Fixed(rate) => self.began + Duration::from_secs_f64(float(request) / rate.0),
        }
    }

    /// Counts what was due before the end and had no connection to go out on.
    fn count_unsent(&mut self) {
        let (Pace::Fixed(_), Until::Time(time)) = (self.plan.pace, self.plan.until) else { return };
        let (end, now) = (self.began + time, Instant::now());
        for due in (self.sent..).map(|request| self.due(request)).take_while(|due| *due < end).collect::<Vec<_>>() {
            if due >= self.counted_from {
                self.latencies.push(now - due);
            }
        }
    }

    fn wait(&mut self) -> Result<()> {
        let mut events = [MaybeUninit::<epoll::Event>::uninit(); EVENTS_AT_ONCE];
        let patience = Timespec { tv_sec: i64::try_from(PATIENCE.as_secs()).expect("a minute"), tv_nsec: 0 };
        let (events, _) = epoll::wait(&self.epoll, &mut events, Some(&patience))?;
        ensure!(!events.is_empty(), "no answer within {} s", PATIENCE.as_secs());
        for event in events {
            match event.data.u64() {
                TIMER => self.rewind()?,
                number => self.advance(usize::try_from(number).expect("a place in memory"))?,
            }
        }
        Ok(())
    }

    /// Takes the timer's count, so that it can wake again.
    fn rewind(&self) -> Result<()> {
        match rustix::io::read(&self.timer, &mut [0; 8]) {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn advance(&mut self, number: usize) -> Result<()> {
        if let Progress::Answered { due } = self.connections[number].advance(self.plan.requests)? {
            let now = Instant::now();
            if due >= self.counted_from {
                self.latencies.push(now - due);
                self.counted_until = now;
            }
            self.answered += 1;
            self.idle.push(number);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};

    /// Answers every request on every connection until nobody sends any more.
    fn server(status: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || answer_all(&stream.unwrap(), status));
            }
        });
        address
    }

    fn answer_all(mut stream: &TcpStream, status: &str) {
        stream.set_nodelay(true).unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while let Some(Ok(line)) = lines.next() {
            if line.is_empty() {
                // In two pieces, as a network may deliver them.
                stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Le").as_bytes()).unwrap();
                stream.write_all(b"ngth: 2\r\n\r\nok").unwrap();
            }
        }
    }

    fn requests(count: usize) -> Vec<Vec<u8>> {
        vec![crate::http::request("GET", "/", "", b""); count]
    }

    #[test]
    fn every_request_is_sent_once() {
        let requests = requests(500);
        let plan = Plan { address: server("200 OK"), connections: 7, requests: &requests, pace: Pace::AsAnswered, until: Until::AllSent };
        let mut outcome = run(&plan).unwrap();
        assert_eq!(outcome.latencies.count(), 500);
        assert!(outcome.time > Duration::ZERO && outcome.latencies.max() < outcome.time);
    }

    #[test]
    fn a_fixed_rate_is_kept() {
        let (requests, time) = (requests(3), Duration::from_millis(300));
        let pace = Pace::Fixed(Rate(1000.0));
        let outcome =
            run(&Plan { address: server("200 OK"), connections: 4, requests: &requests, pace, until: Until::Time(time) }).unwrap();
        // The first tenth does not count.
        assert_eq!(outcome.latencies.count(), 270);
        assert!(outcome.rate() <= Rate(1010.0), "{}", outcome.rate());
    }

    #[test]
    fn what_could_not_be_sent_in_time_counts() {
        let (requests, time) = (requests(1), Duration::from_millis(200));
        let address = silent_for(Duration::from_millis(400));
        let plan = Plan { address, connections: 1, requests: &requests, pace: Pace::Fixed(Rate(100.0)), until: Until::Time(time) };
        let mut outcome = run(&plan).unwrap();
        // One request was sent and not counted, the others never left; all waited until the end.
        assert_eq!((outcome.latencies.count(), outcome.rate()), (18, Rate(0.0)));
        assert!(outcome.latencies.percentile(1) >= Duration::from_millis(200));
    }

    /// Answers the first request after this time.
    fn silent_for(time: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let stream = listener.accept().unwrap().0;
            crate::sending::pause(time);
            answer_all(&stream, "200 OK");
        });
        address
    }

    #[test]
    fn a_refusal_is_an_error() {
        let requests = requests(3);
        let plan = Plan { address: server("503 No"), connections: 1, requests: &requests, pace: Pace::AsAnswered, until: Until::AllSent };
        assert!(run(&plan).unwrap_err().to_string().contains("503"));
    }
}
