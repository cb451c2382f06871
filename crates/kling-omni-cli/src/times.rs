use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kling_omni::TaskTimes;
use tempfile::NamedTempFile;

use crate::failure::Failure;
use crate::input::{self, LARGEST_TEXT};

/// What earlier runs have learnt of how long tasks take.
pub(crate) struct TimesFile(PathBuf);

impl TimesFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Reads it; a file that is not there yet has learnt nothing.
    pub(crate) fn load(&self) -> Result<TaskTimes, Failure> {
        let name = input::name(&self.0);
        if let Ok(false) = self.0.try_exists() {
            return Ok(TaskTimes::default());
        }
        let text = input::read(&self.0, LARGEST_TEXT)?.text()?;
        serde_json::from_str(&text).map_err(|error| {
            Failure::file(format!("{name} holds no task times"))
                .with_cause(error)
                .with_help("name another file, or delete this one to begin anew")
        })
    }

    /// Writes it, whole or not at all.
    pub(crate) fn store(&self, times: &TaskTimes) -> io::Result<()> {
        let folder = self
            .0
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut draft = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        serde_json::to_writer(&mut draft, times)?;
        draft.flush()?;
        // A name that reaches the disk before its content would leave an empty file after a power cut.
        draft.as_file().sync_all()?;
        draft.persist(&self.0)?;
        Ok(())
    }
}
