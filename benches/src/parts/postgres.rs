//! PostgreSQL on the same events: `COPY` into a staging table, `INSERT … ON CONFLICT DO NOTHING`, and the roll-up that a report needs.
//!
//! It is favoured: it reads tab-separated files itself instead of JSON over HTTP, trusts every value, and prices nothing. Batches are
//! as large as our large bodies, and each commit is durable, as ours.

use crate::bench::Bench;
use crate::table::{BytesEach, Count, Rate, Ratio, Span, at_least};
use crate::{machine, packages};
use anyhow::{Context, Result, ensure};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PART: &str = "postgres";
/// The account that Debian's package makes; PostgreSQL refuses to run as root.
const ACCOUNT: &str = "postgres";
/// Sessions that write at a time: as many as the machine of the targets has cores.
const WRITERS: usize = 2;

/// What a machine with these cores and this memory would be given. Everything that durability rests on stays on.
const SETTINGS: [(&str, &str); 12] = [
    ("shared_buffers", "4GB"),
    ("effective_cache_size", "12GB"),
    ("work_mem", "128MB"),
    ("maintenance_work_mem", "1GB"),
    ("max_wal_size", "16GB"),
    ("checkpoint_timeout", "15min"),
    ("wal_buffers", "64MB"),
    ("wal_compression", "lz4"),
    ("jit", "off"),
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
];

const SCHEMA: &str = "
CREATE TABLE events (
    id uuid PRIMARY KEY, used_at timestamptz NOT NULL, sku text NOT NULL, owner text NOT NULL, repository text NOT NULL,
    username text NOT NULL, workflow text NOT NULL, quantity numeric NOT NULL);
CREATE TABLE lines (
    day date, sku text, owner text, repository text, username text, workflow text, quantity numeric NOT NULL,
    PRIMARY KEY (day, sku, owner, repository, username, workflow));";

/// One statement takes the new events into the roll-up. Both tables are filled in the order of their keys: it is faster, and two sessions
/// never wait for each other in a circle.
const TAKE: &str = "
WITH new AS (INSERT INTO events SELECT * FROM staging ORDER BY id ON CONFLICT DO NOTHING RETURNING *)
INSERT INTO lines SELECT used_at::date, sku, owner, repository, username, workflow, sum(quantity) FROM new
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
ON CONFLICT (day, sku, owner, repository, username, workflow) DO UPDATE SET quantity = lines.quantity + excluded.quantity;";

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let history = bench.history()?;
    let ours = history.sent.rate_between(0..bench.baseline_events());
    let batches = bench.batches()?;
    let cluster = Cluster::start(&bench.scratch.join("postgres"))?;
    tell_settings(bench, &cluster)?;
    let time = ingest(&cluster, &batches)?;
    let rate = Rate::of(bench.baseline_events(), time);
    let name = format!("PostgreSQL, {} events in batches of 10,000, {WRITERS} sessions", Count(bench.baseline_events()));
    bench.table.tell(PART, name, format!("{rate} ({})", Span(time)));
    let ratio = ours.to(rate);
    bench.table.judge(PART, format!("our ingest of the same events ({ours}) against it"), ratio, at_least(&ratio, &Ratio(7.0)));
    tell_report(bench, &cluster)?;
    cluster.stop()
}

fn tell_settings(bench: &mut Bench, cluster: &Cluster) -> Result<()> {
    let settings: Vec<String> = SETTINGS.iter().map(|(name, value)| format!("{name} {value}")).collect();
    bench.table.tell(PART, format!("settings: {}", settings.join(", ")), cluster.query("SHOW server_version")?);
    Ok(())
}

/// All batches, each in a transaction of its own, divided among the sessions.
fn ingest(cluster: &Cluster, batches: &[PathBuf]) -> Result<Duration> {
    cluster.query(SCHEMA)?;
    let scripts: Vec<PathBuf> = (0..WRITERS).map(|writer| script(cluster, batches, writer)).collect::<Result<_>>()?;
    let began = Instant::now();
    let sessions: Vec<Child> = scripts.iter().map(|script| Ok(cluster.psql().arg("-f").arg(script).spawn()?)).collect::<Result<_>>()?;
    for mut session in sessions {
        ensure!(session.wait()?.success(), "a session of psql failed: {}", cluster.log());
    }
    Ok(began.elapsed())
}

fn script(cluster: &Cluster, batches: &[PathBuf], writer: usize) -> Result<PathBuf> {
    let mut text = String::from("CREATE TEMPORARY TABLE staging (LIKE events);\n");
    for batch in batches.iter().skip(writer).step_by(WRITERS) {
        writeln!(text, "BEGIN; TRUNCATE staging; COPY staging FROM '{}'; {TAKE} COMMIT;", batch.display())?;
    }
    let path = cluster.folder.join(format!("writer-{writer}.sql"));
    fs::write(&path, text)?;
    Ok(path)
}

/// The report out of the roll-up, and what it all takes on disk.
fn tell_report(bench: &mut Bench, cluster: &Cluster) -> Result<()> {
    let events: u64 = cluster.query("SELECT count(*) FROM events")?.parse()?;
    let rows: u64 = cluster.query("SELECT count(*) FROM lines")?.parse()?;
    if let Some(ours) = bench.figures.export_rows {
        ensure!(rows == ours, "our report has {ours} rows, PostgreSQL's {rows}");
    }
    let file = cluster.folder.join("report.csv");
    let began = Instant::now();
    cluster.query(&format!("COPY (SELECT * FROM lines ORDER BY 1, 2, 3, 4, 5, 6) TO '{}' CSV HEADER", file.display()))?;
    let rate = Rate::of(rows, began.elapsed());
    bench.table.tell(PART, format!("its report of {} rows out of the roll-up, sorted", Count(rows)), rate);
    let bytes = machine::bytes_below(&cluster.data().join("base"))?;
    bench.table.tell(PART, "its disk an event, write-ahead log not counted", BytesEach::of(bytes, events));
    Ok(())
}

/// A private cluster that lives as long as this value.
struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    /// User and group to run as; none when this process is not root's.
    account: Option<(u32, u32)>,
}

impl Cluster {
    fn start(folder: &Path) -> Result<Cluster> {
        let programs = packages::postgresql()?;
        let account = packages::is_root().then(account).transpose()?;
        fs::create_dir_all(folder)?;
        if let Some((user, group)) = account {
            std::os::unix::fs::chown(folder, Some(user), Some(group))?;
        }
        let cluster = Cluster { programs, folder: folder.to_owned(), account };
        cluster.output(cluster.program("initdb").args(["--auth=trust", "--encoding=UTF8", "--locale=C", "-D"]).arg(cluster.data()))?;
        let mut settings = format!("listen_addresses = ''\nunix_socket_directories = '{}'\n", folder.display());
        for (name, value) in SETTINGS {
            writeln!(settings, "{name} = '{value}'")?;
        }
        fs::write(cluster.data().join("postgresql.auto.conf"), settings)?;
        cluster.pg_ctl(&["-w", "-t", "60", "start"])?;
        Ok(cluster)
    }

    fn stop(self) -> Result<()> {
        self.pg_ctl(&["-w", "-m", "fast", "stop"])
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Its output goes to a file: the server inherits it and would keep a pipe open.
    fn pg_ctl(&self, arguments: &[&str]) -> Result<()> {
        let mut command = self.program("pg_ctl");
        command.arg("-D").arg(self.data()).arg("-l").arg(self.folder.join("log")).args(arguments);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "pg_ctl {arguments:?}: {}", self.log());
        Ok(())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_else(|error| format!("no log: {error}"))
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(&self.folder);
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        command
    }

    fn psql(&self) -> Command {
        let mut command = self.program("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-h"]).arg(&self.folder);
        command.stdin(Stdio::null());
        command
    }

    fn query(&self, sql: &str) -> Result<String> {
        self.output(self.psql().args(["-c", sql]))
    }

    fn output(&self, command: &mut Command) -> Result<String> {
        let output = command.output().with_context(|| format!("{command:?}"))?;
        ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // After a failure; a cluster that was stopped has no such file any more.
        if self.data().join("postmaster.pid").exists() && self.pg_ctl(&["-m", "immediate", "stop"]).is_err() {
            eprintln!("benches: PostgreSQL may still run in {}", self.folder.display());
        }
    }
}

fn account() -> Result<(u32, u32)> {
    let number = |flag| packages::output("id", &[flag, ACCOUNT])?.parse::<u32>().context("a number of an account");
    Ok((number("-u")?, number("-g")?))
}
