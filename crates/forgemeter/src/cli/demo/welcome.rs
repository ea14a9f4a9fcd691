//! What the demonstration says when it is ready: addresses, tokens, and commands to paste; or one line of JSON for programs.
//!
//! The JSON is what test suites of client developers rest on; its keys stay.

use crate::demo::world::{self, ENTERPRISE};
use billing::UtcTime;
use serde::{Serialize, Serializer};
use std::io::{self, Write};

pub(super) struct Welcome {
    pub(super) url: String,
    /// By role.
    pub(super) tokens: Vec<(&'static str, String)>,
    pub(super) now: UtcTime,
}

#[derive(Serialize)]
struct WelcomeJson<'a> {
    url: &'a str,
    enterprise: &'a str,
    organizations: Vec<&'a str>,
    users: Vec<&'a str>,
    tokens: Tokens<'a>,
}

/// An object with a key for each role, in their order.
struct Tokens<'a>(&'a [(&'static str, String)]);

impl Serialize for Tokens<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(role, token)| (role, token)))
    }
}

impl Welcome {
    pub(super) fn print_json(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", self.json()?)?;
        out.flush()
    }

    fn json(&self) -> serde_json::Result<String> {
        let json = WelcomeJson {
            url: &self.url,
            enterprise: ENTERPRISE,
            organizations: world::organizations().collect(),
            users: world::users().collect(),
            tokens: Tokens(&self.tokens),
        };
        serde_json::to_string(&json)
    }

    pub(super) fn print_text(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(self.text().as_bytes())?;
        out.flush()
    }

    fn text(&self) -> String {
        let organizations: Vec<&str> = world::organizations().collect();
        let mut text = format!(
            "Enterprise {ENTERPRISE} with its usage until {} is served at {}\nOrganizations: {}\n\nTokens\n",
            self.now.to_seconds_text(),
            self.url,
            organizations.join(", ")
        );
        for (role, token) in &self.tokens {
            text.push_str(&format!("  {role:<20}{token}\n"));
        }
        text + &self.commands()
    }

    fn token(&self, role: &str) -> &str {
        self.tokens.iter().find(|(known, _)| *known == role).map_or("", |(_, token)| token)
    }

    /// Blocks to paste, one after the other.
    fn commands(&self) -> String {
        let url = &self.url;
        let owner = self.token("enterprise_owner");
        let writer = self.token("usage_writer");
        let organization = world::organizations().next().unwrap_or("");
        let month = self.now.month().first_day();
        let now = self.now.to_seconds_text();
        format!(
            r#"
Commands to paste. First the address and the tokens that the others use
  URL={url} OWNER={owner} WRITER={writer}

A summary: the minutes of an organization's Actions this month
  curl -s -H "Authorization: Bearer $OWNER" $URL/orgs/{organization}/settings/billing/actions; echo

A report: ask for it, wait until it is completed, download it
  REPORTS=$URL/enterprises/{ENTERPRISE}/settings/billing/reports
  ID=$(curl -s -H "Authorization: Bearer $OWNER" -d '{{"report_type":"detailed","start_date":"{month}"}}' $REPORTS | sed 's/.*"id":"\([^"]*\)".*/\1/')
  until curl -s -H "Authorization: Bearer $OWNER" $REPORTS/$ID | grep -q completed; do sleep 1; done
  curl -s -H "Authorization: Bearer $OWNER" $REPORTS/$ID | grep -o 'http[^"]*' | xargs curl -s -o report.csv
  head -3 report.csv

Usage of your own: it is in the very next answer
  curl -s -H "Authorization: Bearer $WRITER" -H 'Content-Type: application/json' $URL/v1/usage -d '{{
    "specversion": "1.0", "type": "usage.recorded", "source": "/my/terminal", "id": "'$RANDOM-$RANDOM'", "time": "{now}",
    "subject": "{organization}/web", "data": {{"sku": "actions_linux", "quantity": "1000"}}}}'; echo
  curl -s -H "Authorization: Bearer $OWNER" $URL/orgs/{organization}/settings/billing/actions; echo

Stop with Ctrl-C.
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome() -> Welcome {
        let tokens = vec![("enterprise_owner", "fmt_owner".to_owned()), ("usage_writer", "fmt_writer".to_owned())];
        Welcome { url: "http://127.0.0.1:1".to_owned(), tokens, now: UtcTime::parse("2026-11-03T10:15:00Z").unwrap() }
    }

    #[test]
    fn the_line_for_programs_keeps_its_keys() {
        let json = welcome().json().unwrap();
        let start = r#"{"url":"http://127.0.0.1:1","enterprise":"acme-inc","organizations":["acme","acme-platform","acme-labs","acme-community"],"users":["mona","#;
        assert!(json.starts_with(start), "{json}");
        assert!(json.ends_with(r#""tokens":{"enterprise_owner":"fmt_owner","usage_writer":"fmt_writer"}}"#), "{json}");
    }

    #[test]
    fn the_commands_name_the_address_the_tokens_and_the_month() {
        let text = welcome().text();
        for part in [
            "URL=http://127.0.0.1:1 OWNER=fmt_owner WRITER=fmt_writer\n",
            "$URL/orgs/acme/settings",
            r#""start_date":"2026-11-01""#,
            r#""acme/web""#,
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
