//! `forgemeter apply`: brings accounts, plans, seats and price versions of a data folder to what a TOML file describes, and prints what
//! changed.
//!
//! Works beside a running server, which sees the change with its next request. Reading the file is left to [`crate::accounts_file`].

use super::Failure;
use super::folder::{Folder, Now};
use crate::accounts_file::{AccountsFileError, Description};
use crate::toml_file::Mistakes;
use billing::{Facts, UtcTime};
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;
use store::accounts::{Change, What};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  forgemeter apply acme.toml --data /var/lib/forgemeter

  [[enterprise]]
  slug = \"acme-corp\"
  plan = \"ghec\"
  owners = [\"mona\"]

  [[organization]]
  login = \"acme\"
  enterprise = \"acme-corp\"
  members = [\"hubot\"]

  [[price_version]]
  name = \"self-hosted-fee\"
  effective_from = 2026-03-01
  [[price_version.sku]]
  sku = \"actions_self_hosted_linux\"
  price = 0.002")]
pub(crate) struct Arguments {
    /// File of accounts and price versions
    file: PathBuf,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    now: Now,
    /// Print the changes as one line of JSON
    #[arg(long)]
    json: bool,
}

/// A change as `--json` prints it.
#[derive(Debug, Serialize)]
struct ChangeJson<'a> {
    action: &'static str,
    kind: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    text: String,
}

#[derive(Debug, Serialize)]
struct ChangesJson<'a> {
    changes: Vec<ChangeJson<'a>>,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let file = arguments.file.display().to_string();
    let text = std::fs::read_to_string(&arguments.file).map_err(|error| Failure::Failed(format!("`{file}` cannot be read: {error}")))?;
    let refused = |mistakes: Mistakes| Failure::Failed(mistakes.of_file(&file, "nothing was changed").to_string());
    let description = Description::parse(&text).map_err(refused)?;
    let failure = |error| match error {
        AccountsFileError::Mistakes(mistakes) => refused(mistakes),
        AccountsFileError::Store(error) => error.into(),
    };
    if !arguments.folder.exists() {
        // A file with mistakes changes nothing: not even that there is a folder.
        description.check(&Facts::start(), UtcTime::MIN).map_err(failure)?;
    }
    let folder = arguments.folder.open_or_create()?;
    let changes = description.apply(&folder.facts, arguments.now.or_of(&folder.clock)).map_err(failure)?;
    print(&changes, arguments.json).map_err(|error| Failure::Failed(format!("standard output: {error}")))
}

fn print(changes: &[Change], json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        let changes = ChangesJson { changes: changes.iter().map(change_json).collect() };
        return writeln!(out, "{}", serde_json::to_string(&changes)?);
    }
    if changes.is_empty() {
        return writeln!(out, "nothing to change");
    }
    changes.iter().try_for_each(|change| writeln!(out, "{change}"))
}

fn change_json(change: &Change) -> ChangeJson<'_> {
    let (action, key, since) = match &change.what {
        What::Created(_) => ("create", None, None),
        What::Changed { key, since, .. } | What::Members { key, since, .. } => ("change", Some(*key), *since),
    };
    ChangeJson { action, kind: change.kind, name: &change.name, key, since: since.map(|since| since.to_string()), text: change.to_string() }
}
