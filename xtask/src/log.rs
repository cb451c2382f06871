//! What a long command reports: a line for each step on the screen, and everything else in a file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};

/// The file of `cargo xtask accept`, from the workspace's root.
pub const ACCEPT: &str = "target/accept.log";

/// The screen and the file of one run.
pub struct Log<'a> {
    screen: &'a mut dyn io::Write,
    file: Option<File>,
    begin: Instant,
}

impl<'a> Log<'a> {
    /// Reports steps on `screen`, and details in the file at `path`.
    ///
    /// # Errors
    ///
    /// When the file cannot be created.
    pub fn create(screen: &'a mut dyn io::Write, path: &Path) -> Result<Self> {
        let create = || {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            File::create(path)
        };
        let file = create().with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self {
            file: Some(file),
            ..Self::without_file(screen)
        })
    }

    /// Reports steps on `screen`, and drops details.
    pub fn without_file(screen: &'a mut dyn io::Write) -> Self {
        Self {
            screen,
            file: None,
            begin: Instant::now(),
        }
    }

    /// Reports that a step begins.
    ///
    /// # Errors
    ///
    /// When the screen or the file cannot be written.
    pub fn step(&mut self, title: &str) -> Result<()> {
        let line = format!("{:4} s  {title}", self.begin.elapsed().as_secs());
        writeln!(self.screen, "{line}").context("cannot write to the screen")?;
        self.details(title, &line)
    }

    /// Writes what a step has to say in full.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn details(&mut self, title: &str, text: &str) -> Result<()> {
        match &mut self.file {
            Some(file) => {
                writeln!(file, "=== {title}\n{}\n", text.trim_end()).context("cannot write the log")
            }
            None => Ok(()),
        }
    }
}
