//! The accounts file: enterprises, organizations, users, plans, seats and price versions as an operator writes them down, in TOML.
//!
//! Reads the file and gives what is wrong its line; what the entries change is left to [`store::accounts`], and the tables of price
//! versions to [`prices`].

mod prices;

use crate::spelling;
use crate::toml_file::{self, Mistake, Mistakes, Reading, Section};
use billing::account::AccountKind;
use billing::allowance::Included;
use billing::price_book::draft::DraftProblem;
use billing::{Facts, UtcTime};
use std::collections::BTreeMap;
use store::accounts::{AccountEntry, AccountsFile, ApplyError, Change, Entry, Place, PlanEntry, Problem, Refusal, SeatEntry};
use store::{FactsDatabase, StoreError};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const TABLES: &[&str] = &["enterprise", "organization", "user", "plan", "copilot_seat", "price_version"];
const ENTERPRISE_KEYS: &[&str] = &["slug", "previous_slugs", "name", "plan", "owners", "billing_managers", "since"];
const ORGANIZATION_KEYS: &[&str] =
    &["login", "previous_logins", "name", "enterprise", "plan", "owners", "billing_managers", "members", "since"];
const USER_KEYS: &[&str] = &["login", "previous_logins", "name", "plan", "email", "since"];
const PLAN_KEYS: &[&str] = &["name", "included", "since"];
const SEAT_KEYS: &[&str] = &["user", "organization", "plan", "since", "until"];

/// An accounts file that was read: what it describes, and the line of each value.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) file: AccountsFile,
    lines: BTreeMap<Place, usize>,
}

#[derive(Debug)]
pub(crate) enum AccountsFileError {
    /// Nothing was changed.
    Mistakes(Mistakes),
    Store(StoreError),
}

impl Description {
    pub(crate) fn parse(text: &str) -> Result<Description, Mistakes> {
        toml_file::read(text, |reading, document| {
            check_tables(reading, document);
            let mut entries = Entries { reading, file: AccountsFile::default(), lines: BTreeMap::new() };
            for (name, title, kind) in [
                ("enterprise", "[[enterprise]]", AccountKind::Enterprise),
                ("organization", "[[organization]]", AccountKind::Organization),
                ("user", "[[user]]", AccountKind::User),
            ] {
                for section in entries.reading.sections(document, name, title) {
                    entries.account(kind, section);
                }
            }
            for section in entries.reading.sections(document, "plan", "[[plan]]") {
                entries.plan(section);
            }
            for section in entries.reading.sections(document, "copilot_seat", "[[copilot_seat]]") {
                entries.seat(section);
            }
            for section in entries.reading.sections(document, "price_version", "[[price_version]]") {
                entries.price_version(section);
            }
            Description { file: entries.file, lines: entries.lines }
        })
    }

    /// Brings the folder to what the file describes.
    pub(crate) fn apply(&self, facts: &FactsDatabase, now: UtcTime) -> Result<Vec<Change>, AccountsFileError> {
        store::accounts::apply(facts, &self.file, now).map_err(|error| self.placed(error))
    }

    /// What would be wrong about applying the file to these facts.
    pub(crate) fn check(&self, facts: &Facts, now: UtcTime) -> Result<(), AccountsFileError> {
        store::accounts::check(facts, &self.file, now).map_err(|error| self.placed(error))
    }

    /// What the folder would know with the file applied to these facts.
    pub(crate) fn foresee(&self, facts: &Facts, now: UtcTime) -> Result<Facts, AccountsFileError> {
        store::accounts::foresee(facts, &self.file, now).map_err(|error| self.placed(error))
    }

    fn placed(&self, error: ApplyError) -> AccountsFileError {
        match error {
            ApplyError::Refused(refusals) => {
                AccountsFileError::Mistakes(Mistakes::new(refusals.iter().map(|refusal| self.mistake(refusal)).collect()))
            }
            ApplyError::Store(error) => AccountsFileError::Store(error),
        }
    }

    fn mistake(&self, refusal: &Refusal) -> Mistake {
        let advice = match &refusal.problem {
            Problem::Twice { first, .. } => format!("; the first is on line {}", self.line(first)),
            Problem::BadText | Problem::Price(DraftProblem::BadText) => {
                return self.told(refusal, format!("`{}` {}", refusal.place.key, refusal.problem));
            }
            problem => {
                let unknown = problem.unknown();
                unknown.map_or_else(String::new, |(word, known)| spelling::advice(word, known.iter().map(String::as_str)))
            }
        };
        self.told(refusal, format!("{}{advice}", refusal.problem))
    }

    fn told(&self, refusal: &Refusal, text: String) -> Mistake {
        Mistake { line: self.line(&refusal.place), text }
    }

    /// The line of a value; of a value that is not in the file itself, such as a default, the line of its entry.
    fn line(&self, place: &Place) -> usize {
        let entry = Place { entry: place.entry, key: String::new() };
        self.lines.get(place).or_else(|| self.lines.get(&entry)).copied().unwrap_or(1)
    }
}

fn check_tables(reading: &mut Reading, document: &DeTable<'_>) {
    for key in document.keys().filter(|key| !TABLES.contains(&key.get_ref().as_ref())) {
        let advice = spelling::advice(key.get_ref(), TABLES.iter().copied());
        reading.refuse(&key.span(), format!("unknown table `{}`{advice}", key.get_ref()));
    }
}

/// The entries as far as they are read.
struct Entries<'r> {
    reading: &'r mut Reading,
    file: AccountsFile,
    lines: BTreeMap<Place, usize>,
}

impl Entries<'_> {
    fn account(&mut self, kind: AccountKind, section: Section<'_>) {
        let (keys, login, previous) = match kind {
            AccountKind::Enterprise => (ENTERPRISE_KEYS, "slug", "previous_slugs"),
            AccountKind::Organization => (ORGANIZATION_KEYS, "login", "previous_logins"),
            AccountKind::User => (USER_KEYS, "login", "previous_logins"),
        };
        self.reading.check_keys(section.title, section.table, keys);
        let entry = Entry::Account(self.file.accounts.len());
        self.note(entry, "", section.line);
        let Some(value) = self.reading.required(section, login) else { return };
        let Some(login) = self.noted(entry, "login", value, login) else { return };
        let mut account = AccountEntry::new(kind, &login);
        account.previous_logins = self.texts(entry, "previous_logins", section, previous).unwrap_or_default();
        account.name = self.text(entry, section, "name");
        account.email = self.text(entry, section, "email");
        account.plan = self.text(entry, section, "plan");
        account.enterprise = self.text(entry, section, "enterprise").map(|slug| (!slug.is_empty()).then_some(slug));
        account.owners = self.texts(entry, "owners", section, "owners");
        account.billing_managers = self.texts(entry, "billing_managers", section, "billing_managers");
        account.members = self.texts(entry, "members", section, "members");
        account.since = self.instant(entry, section, "since");
        self.file.accounts.push(account);
    }

    fn plan(&mut self, section: Section<'_>) {
        self.reading.check_keys(section.title, section.table, PLAN_KEYS);
        let entry = Entry::Plan(self.file.plans.len());
        self.note(entry, "", section.line);
        let Some(value) = self.reading.required(section, "name") else { return };
        let Some(name) = self.noted(entry, "name", value, "name") else { return };
        let included = section.table.get("included").and_then(|value| self.included(entry, value));
        let since = self.instant(entry, section, "since");
        self.file.plans.push(PlanEntry { name, included, since });
    }

    fn included(&mut self, entry: Entry, value: &Spanned<DeValue<'_>>) -> Option<Included> {
        let Some(pools) = value.get_ref().as_table() else {
            self.reading.refuse(&value.span(), "`included` must be a table such as { actions_minutes = 3000 }".to_owned());
            return None;
        };
        let mut included = Included::new();
        for (pool, value) in pools {
            self.note(entry, &format!("included.{}", pool.get_ref()), self.reading.line(&pool.span()));
            // A quantity that cannot be read is a mistake of the file, which is then not applied at all.
            if let Some(quantity) = self.reading.quantity(pool.get_ref(), value) {
                included.insert(pool.get_ref().as_ref().into(), quantity);
            }
        }
        Some(included)
    }

    fn seat(&mut self, section: Section<'_>) {
        self.reading.check_keys(section.title, section.table, SEAT_KEYS);
        let entry = Entry::Seat(self.file.seats.len());
        self.note(entry, "", section.line);
        // All of them, so that a seat with several mistakes is told of each.
        let needed = ["user", "plan", "since"].map(|key| self.reading.required(section, key).is_some());
        let organization = self.text(entry, section, "organization");
        let (user, plan) = (self.text(entry, section, "user"), self.text(entry, section, "plan"));
        let (since, until) = (self.instant(entry, section, "since"), self.instant(entry, section, "until"));
        if let (Some(user), Some(plan), Some(since), [true, true, true]) = (user, plan, since, needed) {
            self.file.seats.push(SeatEntry { user, organization, plan, since, until });
        }
    }

    fn note(&mut self, entry: Entry, key: &str, line: usize) {
        self.lines.insert(Place { entry, key: key.to_owned() }, line);
    }

    /// A text under the key that the store knows it by.
    fn noted(&mut self, entry: Entry, store_key: &str, value: &Spanned<DeValue<'_>>, key: &str) -> Option<String> {
        self.note(entry, store_key, self.reading.line(&value.span()));
        self.reading.text(key, value)
    }

    fn text(&mut self, entry: Entry, section: Section<'_>, key: &str) -> Option<String> {
        section.table.get(key).and_then(|value| self.noted(entry, key, value, key))
    }

    fn texts(&mut self, entry: Entry, store_key: &str, section: Section<'_>, key: &str) -> Option<Vec<String>> {
        let texts = section.table.get(key).and_then(|value| self.reading.texts(key, value))?;
        for (item, (_, line)) in texts.iter().enumerate() {
            self.note(entry, &format!("{store_key}[{item}]"), *line);
        }
        Some(texts.into_iter().map(|(text, _)| text).collect())
    }

    fn instant(&mut self, entry: Entry, section: Section<'_>, key: &str) -> Option<UtcTime> {
        let value = section.table.get(key)?;
        self.note(entry, key, self.reading.line(&value.span()));
        self.reading.instant(key, value)
    }
}

#[cfg(test)]
mod tests;
