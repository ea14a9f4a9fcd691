//! Rows of text for people and for programs: a table on a terminal, tab-separated on a pipe.
//!
//! What `--json` prints is left to each verb.

use std::io::{self, IsTerminal, Write};

/// Rows under a heading. A pipe gets the rows alone, so that `cut` and `sort` need not skip anything.
#[derive(Debug)]
pub(crate) struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&'static str]) -> Table {
        Table { heading: heading.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Writes to standard output in the form that fits it.
    pub(crate) fn print(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if out.is_terminal() { writeln!(out, "{}", self.framed()) } else { out.write_all(self.tab_separated().as_bytes()) }
    }

    fn framed(&self) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_BORDERS_ONLY).set_header(&self.heading).add_rows(&self.rows);
        table
    }

    fn tab_separated(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            // A name cannot hold a tab or a line break today; should one ever, it must not make a column or a row.
            let cells: Vec<String> = row.iter().map(|cell| cell.replace(char::is_control, " ")).collect();
            text.push_str(&cells.join("\t"));
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_a_heading_and_programs_one_row_a_line() {
        let mut table = Table::new(&["ID", "LOGIN"]);
        table.push(vec!["1".into(), "mona".into()]);
        table.push(vec!["2".into(), "hu\tbot\n".into()]);
        assert_eq!(table.tab_separated(), "1\tmona\n2\thu bot \n");
        let framed = table.framed().to_string();
        assert!(framed.contains("LOGIN") && framed.contains("mona"), "{framed}");
    }
}
