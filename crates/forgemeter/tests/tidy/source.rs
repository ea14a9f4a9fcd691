//! Rust sources as the tidy test reads them: as written, and with comments and the insides of strings blanked.
//!
//! Knows braces, functions with a body and items under `#[cfg(test)]`; it is no parser and needs none.

use std::ops::RangeInclusive;

/// A source file: as written, and with comments and the insides of strings blanked, line by line the same.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) code: String,
    test_lines: Vec<RangeInclusive<usize>>,
}

impl Source {
    pub(crate) fn new(path: String, text: String) -> Source {
        let code = blanked(&text);
        let test_lines = test_items(&code);
        Source { path, text, code, test_lines }
    }

    pub(crate) fn is_integration_test(&self) -> bool {
        self.path.contains("/tests/")
    }

    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.is_integration_test() || self.path.ends_with("/tests.rs") || self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    /// Whether money, quantity or time passes through this file.
    pub(crate) fn holds_figures(&self) -> bool {
        self.path.starts_with("crates/billing/src/") || self.path.starts_with("crates/store/src/")
    }

    pub(crate) fn production_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.code.lines()).filter(|(line, _)| !self.is_test(*line))
    }
}

pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// Every function with a body, nested ones too.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("fn ") {
        let after_word = code[..start].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let name: String = code[start + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if after_word || name.is_empty() {
            continue;
        }
        if let Some(end) = item_end(code, start).filter(|end| code.as_bytes()[*end] == b'}') {
            found.push(Function { name, first: line_of(code, start), last: line_of(code, end) });
        }
    }
    found
}

/// The lines of every item under `#[cfg(test)]`.
fn test_items(code: &str) -> Vec<RangeInclusive<usize>> {
    let items = code.match_indices("#[cfg(test)]");
    items.filter_map(|(start, _)| item_end(code, start).map(|end| line_of(code, start)..=line_of(code, end))).collect()
}

/// Where an item ends: its closing brace, or its semicolon when that comes first. A semicolon in brackets is an array's.
fn item_end(code: &str, start: usize) -> Option<usize> {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, c) in code.bytes().enumerate().skip(start) {
        match c {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b'{' => braces += 1,
            b'}' if braces == 1 => return Some(at),
            b'}' => braces = braces.checked_sub(1)?,
            b';' if braces == 0 && brackets == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The text with comments and the insides of string and character literals turned into spaces.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = literal_or_comment(rest, out.chars().next_back());
        if taken == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(rest[..taken].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = &rest[taken..];
        }
    }
    out
}

/// How many bytes a comment or literal takes that begins here; 0 when none does.
fn literal_or_comment(rest: &str, before: Option<char>) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let raw = rest.strip_prefix("br").or(rest.strip_prefix("cr")).or(rest.strip_prefix('r')).filter(|_| !in_word);
    raw.map_or(0, |after| raw_string(after).map_or(0, |taken| rest.len() - after.len() + taken))
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest.as_bytes()[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.as_bytes()[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if !escaped && c == quote {
            return at + c.len_utf8();
        }
        escaped = !escaped && c == '\\';
    }
    rest.len()
}

/// A character literal; a lifetime is none.
fn character(rest: &str) -> usize {
    let mut after = rest.chars().skip(1);
    match (after.next(), after.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(rest, '\''),
        _ => 0,
    }
}

/// A raw string from its hashes or quote on.
fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest.bytes().take_while(|c| *c == b'#').count();
    let inside = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    inside.find(&end).map(|at| hashes + 1 + at + end.len())
}

#[test]
fn the_reader_of_sources_is_not_fooled_by_strings_comments_and_lifetimes() {
    let source = Source::new(
        "crates/store/src/example.rs".to_owned(),
        "fn one<'a>(text: &'a str) -> char {\n    /* { /* { */ */ let brace = '{';\n    let raw = r#\"} \" fn no() {\"#; // }\n    brace\n}\n\
         #[cfg(test)]\nmod tests {\n    fn two() {\n        let quote = '\\'';\n    }\n}\nfn three() {}\n"
            .to_owned(),
    );
    let found: Vec<(String, usize, usize)> = functions(&source.code).into_iter().map(|f| (f.name, f.first, f.last)).collect();
    assert_eq!(found, [("one".to_owned(), 1, 5), ("two".to_owned(), 8, 10), ("three".to_owned(), 12, 12)]);
    assert_eq!((1..=12).filter(|line| source.is_test(*line)).collect::<Vec<_>>(), [6, 7, 8, 9, 10, 11]);
}
