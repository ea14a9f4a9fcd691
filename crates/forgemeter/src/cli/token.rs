//! `forgemeter token`: creates, lists and revokes access tokens of a data folder, beside a running server or without one.
//!
//! Which operation needs which scope is left to [`crate::api::auth`]; here stand only the words that are known.

use super::Failure;
use super::folder::{Folder, Now, OpenFolder};
use crate::table::Table;
use crate::{instant, spelling};
use billing::account::AccountKind;
use billing::{Account, AccountId, Facts, UtcTime};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use store::tokens::{Access, Grant, Token, Tokens};

const SCOPES: &[&str] = &["repo", "admin:org", "read:org", "user", "manage_billing:enterprise", "admin:enterprise", "usage:write"];
const PERMISSIONS: &[&str] = &["organization_administration", "plan", "enterprise_administration", "enterprise_billing", "usage"];

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Create a token and print it; it is stored nowhere and shown only this once
    Create(Create),
    /// List all tokens without their secrets
    List(List),
    /// Revoke a token by its id, at once
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forgemeter token create --data DIR --login mona --scopes manage_billing:enterprise,read:org --expires 90d
  forgemeter token create --data DIR --login hubot --permissions usage:write,plan:read

Scopes: repo, admin:org, read:org, user, manage_billing:enterprise, admin:enterprise, usage:write
Permissions, each with :read or :write: organization_administration, plan, enterprise_administration, enterprise_billing, usage")]
#[command(group = clap::ArgGroup::new("grant").required(true).args(["scopes", "permissions"]))]
struct Create {
    #[command(flatten)]
    folder: Folder,
    /// The user whose token it is
    #[arg(long)]
    login: String,
    /// Scopes of a classic token, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Permissions of a fine-grained token, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAME:ACCESS")]
    permissions: Vec<String>,
    /// How long it is valid, such as 90d; else until it is revoked
    #[arg(long, value_name = "TIME", value_parser = instant::parse_seconds)]
    expires: Option<i64>,
    #[command(flatten)]
    now: Now,
    /// Print the token and what it may do as one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    folder: Folder,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// Id of the token, as `token list` shows it
    id: u64,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    now: Now,
}

/// A token as `--json` prints it; its secret only where it is created.
#[derive(Debug, Serialize)]
struct TokenJson {
    id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    login: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<BTreeSet<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<BTreeMap<String, &'static str>>,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    state: &'static str,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.verb {
        Verb::Create(create) => run_create(&create),
        Verb::List(list) => run_list(&list),
        Verb::Revoke(revoke) => run_revoke(&revoke),
    }
}

fn run_create(arguments: &Create) -> Result<(), Failure> {
    let grant = grant(arguments)?;
    let folder = arguments.folder.open()?;
    let facts = folder.facts.current()?;
    let user = user(&facts, &arguments.login)?;
    let now = arguments.now.or_of(&folder.clock);
    let expires_at = arguments.expires.map(|seconds| now.plus_seconds(seconds));
    let (text, token) = tokens(&folder).create(user, grant, now, expires_at)?;
    let mut described = described(&token, &facts, now);
    let mut out = io::stdout().lock();
    let written = if arguments.json {
        described.token = Some(text);
        writeln!(out, "{}", json(&described)?)
    } else {
        eprintln!("{}", note(&token, &described));
        writeln!(out, "{text}")
    };
    written.map_err(standard_output)
}

fn run_list(arguments: &List) -> Result<(), Failure> {
    let folder = arguments.folder.open()?;
    let (facts, now) = (folder.facts.current()?, folder.clock.now());
    let tokens = tokens(&folder).list()?;
    if arguments.json {
        let described: Vec<TokenJson> = tokens.iter().map(|token| described(token, &facts, now)).collect();
        return writeln!(io::stdout().lock(), "{}", json(&described)?).map_err(standard_output);
    }
    let mut table = Table::new(&["ID", "LOGIN", "MAY DO", "CREATED", "EXPIRES", "STATE"]);
    for token in &tokens {
        let TokenJson { id, login, created_at, expires_at, state, .. } = described(token, &facts, now);
        let expires_at = expires_at.unwrap_or_else(|| "never".to_owned());
        table.push(vec![id.to_string(), login, words(&token.grant).join(","), created_at, expires_at, state.to_owned()]);
    }
    table.print().map_err(standard_output)
}

fn run_revoke(arguments: &Revoke) -> Result<(), Failure> {
    let folder = arguments.folder.open()?;
    let now = arguments.now.or_of(&folder.clock);
    if tokens(&folder).revoke(arguments.id, now)? {
        eprintln!("token {} is revoked", arguments.id);
        return Ok(());
    }
    Err(Failure::Failed(format!("token {} does not exist; `forgemeter token list` shows the ids", arguments.id)))
}

fn tokens(folder: &OpenFolder) -> Tokens {
    Tokens::new(std::sync::Arc::clone(&folder.database))
}

fn grant(arguments: &Create) -> Result<Grant, Failure> {
    if !arguments.scopes.is_empty() {
        let scopes = arguments.scopes.iter().map(|scope| known("scope", scope, SCOPES).map(ToOwned::to_owned));
        return Ok(Grant::Scopes(scopes.collect::<Result<_, Failure>>()?));
    }
    let mut permissions = BTreeMap::new();
    for text in &arguments.permissions {
        let (name, access) = text.rsplit_once(':').unwrap_or((text, ""));
        let name = known("permission", name, PERMISSIONS)?;
        let access = match access {
            "read" => Access::Read,
            "write" => Access::Write,
            _ => return Err(Failure::Usage(format!("permission `{text}` does not say how much; write `{name}:read` or `{name}:write`"))),
        };
        if permissions.insert(name.to_owned(), access).is_some() {
            return Err(Failure::Usage(format!("permission `{name}` is given twice; write includes read")));
        }
    }
    Ok(Grant::Permissions(permissions))
}

fn known<'a>(what: &str, word: &'a str, known: &[&str]) -> Result<&'a str, Failure> {
    if known.contains(&word) {
        return Ok(word);
    }
    let advice = spelling::advice(word, known.iter().copied());
    Err(Failure::Usage(format!("{what} `{word}` is unknown{advice}")))
}

fn user(facts: &Facts, login: &str) -> Result<AccountId, Failure> {
    match facts.accounts.owner(login) {
        Some(account) if account.kind == AccountKind::User => Ok(account.id),
        Some(account) => Err(Failure::Failed(format!("`{}` is an {}; a token belongs to a user", account.login(), account.kind))),
        None => {
            let users = facts.accounts.iter().filter(|account| account.kind == AccountKind::User).map(Account::login);
            let advice = spelling::advice(login, users);
            Err(Failure::Failed(format!("user `{login}` is unknown{advice}; add users with `forgemeter apply`")))
        }
    }
}

fn described(token: &Token, facts: &Facts, now: UtcTime) -> TokenJson {
    let (scopes, permissions) = match &token.grant {
        Grant::Scopes(scopes) => (Some(scopes.clone()), None),
        Grant::Permissions(permissions) => {
            (None, Some(permissions.iter().map(|(name, access)| (name.clone(), access_word(*access))).collect()))
        }
    };
    let state = match token {
        Token { revoked_at: Some(_), .. } => "revoked",
        Token { expires_at: Some(end), .. } if *end <= now => "expired",
        _ => "active",
    };
    let login = facts.accounts.get(token.user).map_or_else(|| format!("account {}", token.user.0), |user| user.login().to_owned());
    TokenJson {
        id: token.id,
        token: None,
        login,
        scopes,
        permissions,
        created_at: token.created_at.to_seconds_text(),
        expires_at: token.expires_at.map(UtcTime::to_seconds_text),
        revoked_at: token.revoked_at.map(UtcTime::to_seconds_text),
        state,
    }
}

fn access_word(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
    }
}

fn words(grant: &Grant) -> Vec<String> {
    match grant {
        Grant::Scopes(scopes) => scopes.iter().cloned().collect(),
        Grant::Permissions(permissions) => permissions.iter().map(|(name, access)| format!("{name}:{}", access_word(*access))).collect(),
    }
}

fn note(token: &Token, described: &TokenJson) -> String {
    let kind = if described.scopes.is_some() { "scopes" } else { "permissions" };
    let end = described.expires_at.as_ref().map_or_else(|| "until it is revoked".to_owned(), |end| format!("until {end}"));
    let (id, login) = (token.id, &described.login);
    format!("token {id} of `{login}`, {kind} {}, valid {end}; it is shown only now", words(&token.grant).join(", "))
}

fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Failed(format!("JSON: {error}")))
}

fn standard_output(error: io::Error) -> Failure {
    Failure::Failed(format!("standard output: {error}"))
}
