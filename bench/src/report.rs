//! What a scenario found, as Markdown.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::machine;

/// One section of the page.
pub struct Report {
    id: &'static str,
    title: String,
    about: &'static str,
    command: String,
    rows: Vec<Vec<String>>,
    figures: Vec<String>,
}

impl Report {
    pub fn new(id: &'static str, title: &str, about: &'static str) -> Self {
        Self {
            id,
            title: title.to_owned(),
            about,
            command: String::new(),
            rows: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// What has to be run for these figures.
    pub fn command(&mut self, command: &str) {
        self.command = command.to_owned();
    }

    pub fn header<const N: usize>(&mut self, names: [&str; N]) {
        self.row(names);
        self.row(["---"; N]);
    }

    pub fn row<const N: usize>(&mut self, cells: [&str; N]) {
        self.rows.push(cells.map(str::to_owned).to_vec());
    }

    pub fn figure(&mut self, text: &str) {
        self.figures.push(text.to_owned());
    }

    /// Puts it into the page, in place of what the scenario found before.
    pub fn write(&self, page: &Path) -> Result<()> {
        let text = fs::read_to_string(page).with_context(|| page.display().to_string())?;
        let (begin, end) = self.marks();
        let section = format!("{begin}\n\n{self}\n{end}\n");
        let text = match (text.find(&begin), text.find(&end)) {
            (Some(from), Some(to)) if from < to => {
                let rest = text[to + end.len()..].trim_start_matches('\n');
                let rest = if rest.is_empty() {
                    String::new()
                } else {
                    format!("\n{rest}")
                };
                format!("{}{section}{rest}", &text[..from])
            }
            _ => format!("{}\n\n{section}", text.trim_end()),
        };
        fs::write(page, text).with_context(|| page.display().to_string())
    }

    fn marks(&self) -> (String, String) {
        (
            format!("<!-- {} begins -->", self.id),
            format!("<!-- {} ends -->", self.id),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n\n{}\n", self.title, self.about)?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        if !self.figures.is_empty() {
            writeln!(f)?;
        }
        for figure in &self.figures {
            writeln!(f, "* {figure}")?;
        }
        writeln!(f, "\n`{}`, on {}", self.command, machine::description())
    }
}
