//! The baselines' programs: PostgreSQL from the distribution, DuckDB from PyPI. What is missing is installed, or named.
//!
//! Nothing is configured here; each baseline says its settings itself.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const POSTGRESQL_FOLDER: &str = "/usr/lib/postgresql";
const DUCKDB: &str = "duckdb==2.0.0";

/// Standard output of a command that succeeds.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| program.to_owned())?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The folder of PostgreSQL's programs, installed when it is missing.
pub(crate) fn postgresql() -> Result<PathBuf> {
    if let Some(folder) = installed_postgresql() {
        return Ok(folder);
    }
    install("postgresql")?;
    installed_postgresql().context("postgresql was installed and is not there")
}

fn installed_postgresql() -> Option<PathBuf> {
    let versions = fs::read_dir(POSTGRESQL_FOLDER).ok()?;
    let mut folders: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    folders.sort();
    folders.into_iter().rfind(|folder| folder.join("initdb").exists())
}

/// A Python that has DuckDB.
pub(crate) fn duckdb(target: &Path) -> Result<PathBuf> {
    let venv = target.join("venv-duckdb");
    let python = venv.join("bin/python");
    if output(&python.display().to_string(), &["-c", "import duckdb"]).is_ok() {
        return Ok(python);
    }
    let folder = venv.display().to_string();
    if output("python3", &["-m", "venv", "--clear", &folder]).is_err() {
        install("python3-venv")?;
        output("python3", &["-m", "venv", "--clear", &folder])?;
    }
    eprintln!("benches: installs with pip: {DUCKDB}");
    output(&venv.join("bin/pip").display().to_string(), &["install", "--quiet", "--disable-pip-version-check", DUCKDB])?;
    Ok(python)
}

fn install(package: &str) -> Result<()> {
    if !is_root() {
        bail!("`{package}` is missing: install it, or run as root where apt-get is");
    }
    eprintln!("benches: installs with apt-get: {package}");
    output("apt-get", &["update", "-qq"])?;
    output("env", &["DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "-y", "--no-install-recommends", package])?;
    Ok(())
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
