//! TOML files that people write: every mistake is told at once, with its line and what would be right.
//!
//! Values are read from their text, so that a number never passes through a float. What the tables mean is left to the reader of
//! each file ([`crate::accounts_file`]).

use crate::{instant, spelling};
use billing::{Day, Quantity, UtcTime};
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong on a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mistake {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// The mistakes of one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(crate) fn new(mut mistakes: Vec<Mistake>) -> Mistakes {
        mistakes.sort();
        Mistakes(mistakes)
    }

    /// How many there are and what follows from that, then a line for each: ``acme.toml:3: …``.
    pub(crate) fn of_file<'a>(&'a self, file: &'a str, consequence: &'a str) -> impl fmt::Display + 'a {
        fmt::from_fn(move |f| {
            let count = if self.0.len() == 1 { "one mistake".to_owned() } else { format!("{} mistakes", self.0.len()) };
            write!(f, "{count} in `{file}`; {consequence}")?;
            self.0.iter().try_for_each(|mistake| write!(f, "\n{file}:{}: {}", mistake.line, mistake.text))
        })
    }
}

/// A file while it is read: what was wrong so far, and where its lines begin.
#[derive(Debug)]
pub(crate) struct Reading {
    line_starts: Vec<usize>,
    mistakes: Vec<Mistake>,
}

/// Reads a file with `read`. What is no TOML is told alone: the rest would only repeat it.
pub(crate) fn read<T>(text: &str, read: impl FnOnce(&mut Reading, &DeTable<'_>) -> T) -> Result<T, Mistakes> {
    let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut reading = Reading { line_starts, mistakes: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reading.refuse(&error.span().unwrap_or(0..0), format!("this is no TOML: {}", error.message()));
    }
    if errors.is_empty() {
        let value = read(&mut reading, document.get_ref());
        if reading.mistakes.is_empty() {
            return Ok(value);
        }
    }
    Err(Mistakes::new(reading.mistakes))
}

/// One table of a file, such as an `[[organization]]` entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section<'t> {
    /// As it is written in the file.
    pub(crate) title: &'static str,
    pub(crate) table: &'t DeTable<'t>,
    pub(crate) line: usize,
}

impl Reading {
    pub(crate) fn line(&self, span: &Range<usize>) -> usize {
        self.line_starts.partition_point(|start| *start <= span.start)
    }

    pub(crate) fn refuse(&mut self, span: &Range<usize>, text: String) {
        let line = self.line(span);
        self.mistakes.push(Mistake { line, text });
    }

    /// Refuses every key of a table that is not among the known ones.
    pub(crate) fn check_keys(&mut self, title: &str, table: &DeTable<'_>, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let advice = spelling::advice(key.get_ref(), known.iter().copied());
            self.refuse(&key.span(), format!("unknown key `{}` in {title}{advice}", key.get_ref()));
        }
    }

    /// The entries of an array of tables, `[[name]]`.
    pub(crate) fn sections<'t>(&mut self, document: &'t DeTable<'t>, name: &str, title: &'static str) -> Vec<Section<'t>> {
        let Some(value) = document.get(name) else { return Vec::new() };
        let mut sections = Vec::new();
        let items = value.get_ref().as_array();
        if items.is_none() {
            self.refuse(&value.span(), format!("write {title}, with two brackets, above each entry"));
        }
        for item in items.into_iter().flat_map(|items| items.iter()) {
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section { title, table, line: self.line(&item.span()) }),
                None => self.refuse_type(title, item, "a table"),
            }
        }
        sections
    }

    /// The value of a key that an entry cannot do without.
    pub(crate) fn required<'t>(&mut self, section: Section<'t>, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        let value = section.table.get(key);
        if value.is_none() {
            self.mistakes.push(Mistake { line: section.line, text: format!("{} needs a `{key}`", section.title) });
        }
        value
    }

    pub(crate) fn text(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = value.get_ref().as_str().map(ToOwned::to_owned);
        if text.is_none() {
            self.refuse_type(&format!("`{key}`"), value, "a string");
        }
        text
    }

    /// An array of strings, each with its line.
    pub(crate) fn texts(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Vec<(String, usize)>> {
        let Some(items) = value.get_ref().as_array() else {
            self.refuse_type(&format!("`{key}`"), value, "an array of strings");
            return None;
        };
        let texts = items.iter().map(|item| self.text(key, item).map(|text| (text, self.line(&item.span()))));
        // Collected first, so that every item is looked at.
        texts.collect::<Vec<Option<_>>>().into_iter().collect()
    }

    /// A date, a date-time with an offset, or a string that holds one.
    pub(crate) fn instant(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<UtcTime> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            _ => {
                self.refuse_type(&format!("`{key}`"), value, "a date or a date-time");
                return None;
            }
        };
        self.accepted(value, instant::parse(&text).map_err(|error| format!("`{key}`: {error}")))
    }

    /// An exact decimal number, or a string that holds one.
    pub(crate) fn quantity(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Quantity> {
        self.decimal(key, value, "quantity", Quantity::parse)
    }

    /// An exact decimal number, or a string that holds one, which `parse` reads from its text; `word` names it in a refusal.
    pub(crate) fn decimal<T, E: fmt::Display>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        word: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            _ => {
                self.refuse_type(&format!("`{key}`"), value, "a decimal number");
                return None;
            }
        };
        // TOML allows a plus sign, JSON's grammar of numbers does not.
        let parsed = parse(text.strip_prefix('+').unwrap_or(&text));
        self.accepted(value, parsed.map_err(|error| format!("`{key}`: {word} `{text}` {error}")))
    }

    /// A date without a time.
    pub(crate) fn day(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Day> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(date) => date.to_string(),
            _ => {
                self.refuse_type(&format!("`{key}`"), value, "a date");
                return None;
            }
        };
        self.accepted(value, Day::parse(&text).map_err(|error| format!("`{key}`: `{text}` {error}")))
    }

    pub(crate) fn truth(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        let truth = value.get_ref().as_bool();
        if truth.is_none() {
            self.refuse_type(&format!("`{key}`"), value, "`true` or `false`");
        }
        truth
    }

    /// One of a few words, which `parse` knows.
    pub(crate) fn word<T>(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        known: &[&str],
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(key, value)?;
        let refusal = || format!("`{key}`: `{text}` is none of {}{}", known.join(", "), spelling::advice(&text, known.iter().copied()));
        let parsed = parse(&text).ok_or_else(refusal);
        self.accepted(value, parsed)
    }

    fn accepted<T>(&mut self, value: &Spanned<DeValue<'_>>, parsed: Result<T, String>) -> Option<T> {
        match parsed {
            Ok(accepted) => Some(accepted),
            Err(text) => {
                self.refuse(&value.span(), text);
                None
            }
        }
    }

    pub(crate) fn refuse_type(&mut self, what: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = value.get_ref().type_str();
        let article = if found.starts_with(['a', 'i']) { "an" } else { "a" };
        self.refuse(&value.span(), format!("{what} must be {wanted}, not {article} {found}"));
    }
}
