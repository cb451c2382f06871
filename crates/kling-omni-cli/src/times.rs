use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kling_omni::TaskTimes;
use tempfile::NamedTempFile;

use crate::failure::Failure;

/// What earlier runs have learnt of how long tasks take.
pub(crate) struct TimesFile(PathBuf);

impl TimesFile {
    pub(crate) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Reads it; a file that is not there yet has learnt nothing.
    pub(crate) fn load(&self) -> Result<TaskTimes, Failure> {
        let name = self.0.display();
        let text = match fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(TaskTimes::default());
            }
            Err(error) => {
                let failure = Failure::file(format!("the task times {name} could not be read"));
                return Err(failure.with_cause(error));
            }
        };
        serde_json::from_str(&text).map_err(|error| {
            Failure::file(format!("{name} holds no task times"))
                .with_cause(error)
                .with_advice("name another file, or delete this one to begin anew")
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
        draft.persist(&self.0)?;
        Ok(())
    }
}
