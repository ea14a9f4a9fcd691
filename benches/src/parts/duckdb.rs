//! DuckDB on the same events: batches into a table with a primary key, and the report out of Parquet.
//!
//! It is favoured: batches lie decoded in its memory before the clock starts, it keeps no roll-up, prices nothing, and the Parquet file
//! of the report holds no duplicate.

use crate::bench::Bench;
use crate::packages;
use crate::table::{Count, Rate, Ratio, Span, at_least};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

const PART: &str = "duckdb";
const SCRIPT: &str = include_str!("duckdb.py");

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let history = bench.history()?;
    if bench.figures.export_rate.is_none() {
        super::export::run(bench)?;
    }
    let ours = history.sent.rate_between(0..bench.baseline_events());
    let told = measure(bench)?;
    let text = |name: &str| told[name].as_str().map(str::to_owned).with_context(|| format!("DuckDB told no `{name}`"));
    let number = |name: &str| told[name].as_u64().with_context(|| format!("DuckDB told no `{name}`"));
    bench.table.tell(PART, format!("settings: {}", text("settings")?), text("version")?);
    let time = Duration::from_micros(number("ingest_microseconds")?);
    let rate = Rate::of(bench.baseline_events(), time);
    let name = format!("DuckDB, {} events in batches of 10,000, primary key on id", Count(bench.baseline_events()));
    bench.table.tell(PART, name, format!("{rate} ({})", Span(time)));
    let ratio = ours.to(rate);
    bench.table.judge(PART, format!("our ingest of the same events ({ours}) against it"), ratio, at_least(&ratio, &Ratio(3.0)));
    let (rows, time) = (number("rows")?, Duration::from_micros(number("report_microseconds")?));
    tell_report(bench, rows, time)
}

fn tell_report(bench: &mut Bench, rows: u64, time: Duration) -> Result<()> {
    let rate = Rate::of(rows, time);
    bench.table.tell(
        PART,
        format!("its report of {} rows: GROUP BY, ORDER BY, COPY TO csv", Count(rows)),
        format!("{rate} ({})", Span(time)),
    );
    let own_rows = bench.figures.export_rows.context("an export was measured")?;
    ensure!(rows == own_rows, "our report has {own_rows} rows, DuckDB's {rows}");
    let ours = bench.figures.export_rate.context("an export was measured")?;
    let ratio = ours.to(rate);
    bench.table.judge(PART, format!("our report of the same events ({ours}) against it"), ratio, at_least(&ratio, &Ratio(3.0)));
    Ok(())
}

fn measure(bench: &mut Bench) -> Result<serde_json::Value> {
    let python = packages::duckdb(&bench.target)?;
    let batches = bench.batches()?;
    let folder = bench.scratch.join("duckdb");
    fs::create_dir_all(&folder)?;
    let batches = batches.first().and_then(|first| first.parent()).context("there are batches")?.to_owned();
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT]).arg(batches).arg(&folder).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output()?;
    ensure!(output.status.success(), "the DuckDB script failed");
    fs::remove_dir_all(&folder)?;
    serde_json::from_slice(&output.stdout).context("the DuckDB script prints one line of JSON")
}
