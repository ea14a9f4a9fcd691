//! The one table: each figure with its target and whether it was met, under the machine and the command that made it.
//!
//! Figures come in as numbers and units; nothing here knows what was measured.

use std::fmt;
use std::time::Duration;

/// One row: what was measured, what was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    part: &'static str,
    figure: String,
    measured: String,
    target: String,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Met,
    Missed,
    /// Told for comparison; nothing is promised about it.
    Told,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// A figure without a target.
    pub(crate) fn tell(&mut self, part: &'static str, figure: impl Into<String>, measured: impl fmt::Display) {
        self.push(Row { part, figure: figure.into(), measured: measured.to_string(), target: String::new(), verdict: Verdict::Told });
    }

    /// A figure with its target.
    pub(crate) fn judge(&mut self, part: &'static str, figure: impl Into<String>, measured: impl fmt::Display, target: Target) {
        let verdict = if target.met { Verdict::Met } else { Verdict::Missed };
        self.push(Row { part, figure: figure.into(), measured: measured.to_string(), target: target.text, verdict });
    }

    /// A part that came to no end.
    pub(crate) fn fail(&mut self, part: &'static str, error: &anyhow::Error) {
        let measured = format!("{error:#}").replace(['\n', '|'], " ");
        self.push(Row { part, figure: "failed".to_owned(), measured, target: String::new(), verdict: Verdict::Missed });
    }

    fn push(&mut self, row: Row) {
        eprintln!("benches: {}: {}: {} {}", row.part, row.figure, row.measured, row.verdict);
        self.rows.push(row);
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("| part | figure | measured | target | met |\n|---|---|---:|---|---|\n");
        for row in &self.rows {
            text += &format!("| {} | {} | {} | {} | {} |\n", row.part, row.figure, row.measured, row.target, row.verdict);
        }
        let met = self.rows.iter().filter(|row| row.verdict == Verdict::Met).count();
        let missed = self.rows.iter().filter(|row| row.verdict == Verdict::Missed).count();
        text + &format!("\n{met} targets met, {missed} missed.\n")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Met => "yes",
            Verdict::Missed => "**no**",
            Verdict::Told => "",
        })
    }
}

/// A wanted value as a text, and whether it was reached.
#[derive(Debug)]
pub(crate) struct Target {
    text: String,
    met: bool,
}

/// At least so much.
pub(crate) fn at_least<T: PartialOrd + fmt::Display>(measured: &T, wanted: &T) -> Target {
    Target { text: format!("≥ {wanted}"), met: measured >= wanted }
}

/// Less than or as much as this.
pub(crate) fn at_most<T: PartialOrd + fmt::Display>(measured: &T, wanted: &T) -> Target {
    Target { text: format!("≤ {wanted}"), met: measured <= wanted }
}

impl Target {
    /// Says what the wanted value is made of.
    pub(crate) fn because(mut self, reason: impl fmt::Display) -> Target {
        self.text = format!("{} ({reason})", self.text);
        self
    }

    /// A target that holds when one of two does.
    pub(crate) fn or(self, other: Target) -> Target {
        Target { text: format!("{} or {}", self.text, other.text), met: self.met || other.met }
    }
}

/// So many of something in a second.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct Rate(pub(crate) f64);

impl Rate {
    pub(crate) fn of(count: u64, time: Duration) -> Rate {
        Rate(float(count) / time.as_secs_f64().max(1e-9))
    }

    pub(crate) fn to(self, other: Rate) -> Ratio {
        Ratio(self.0 / other.0.max(1e-9))
    }

    pub(crate) fn times(self, factor: f64) -> Rate {
        Rate(self.0 * factor)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", grouped(&format!("{:.0}", self.0)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct Ratio(pub(crate) f64);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} ×", self.0)
    }
}

/// A span of time as people read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            write!(f, "{:.2} ms", self.0.as_secs_f64() * 1000.0)
        } else {
            write!(f, "{:.2} s", self.0.as_secs_f64())
        }
    }
}

/// Bytes of something divided by how many there are.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct BytesEach(pub(crate) f64);

impl BytesEach {
    pub(crate) fn of(bytes: u64, count: u64) -> BytesEach {
        BytesEach(float(bytes) / float(count.max(1)))
    }
}

impl fmt::Display for BytesEach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} bytes", self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mebibytes(pub(crate) u64);

impl Mebibytes {
    pub(crate) fn of_bytes(bytes: u64) -> Mebibytes {
        Mebibytes(bytes >> 20)
    }
}

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", grouped(&self.0.to_string()))
    }
}

/// A whole number with commas.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count(pub(crate) u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&grouped(&self.0.to_string()))
    }
}

fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "figures of a table have few digits")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(Rate::of(1_234_567, Duration::from_secs(1)).to_string(), "1,234,567/s");
        assert_eq!(Rate(999.4).to_string(), "999/s");
        assert_eq!(Span(Duration::from_micros(1234)).to_string(), "1.23 ms");
        assert_eq!(Span(Duration::from_millis(12_345)).to_string(), "12.35 s");
        assert_eq!(BytesEach::of(1000, 3).to_string(), "333.3 bytes");
        assert_eq!(Rate(30.0).to(Rate(12.0)).to_string(), "2.50 ×");
        assert_eq!(Count(50_000_000).to_string(), "50,000,000");
    }

    #[test]
    fn a_row_says_whether_its_target_was_met() {
        let mut table = Table::default();
        table.judge("one", "rate", Rate(5.0), at_least(&Rate(5.0), &Rate(6.0)).because("as promised"));
        table.judge("one", "time", "3 ms", at_most(&3, &2).or(at_most(&3, &4)));
        table.tell("two", "size", 7);
        table.fail("three", &anyhow::anyhow!("a|b"));
        let text = table.markdown();
        assert!(text.contains("| one | rate | 5/s | ≥ 6/s (as promised) | **no** |"), "{text}");
        assert!(
            text.contains("| one | time | 3 ms | ≤ 2 or ≤ 4 | yes |\n| two | size | 7 |  |  |\n| three | failed | a b |  | **no** |"),
            "{text}"
        );
        assert!(text.ends_with("\n1 targets met, 2 missed.\n"));
    }
}
