use std::fs;
use std::io;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use clap::Args;
use kling_omni::{Sidecar, file_stem};

use crate::failure::Failure;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// File to save the video as, or a folder for it [default: the task's id and .mp4, in the current folder]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,

    /// Replace the file if it is there already
    #[arg(short, long, visible_alias = "overwrite")]
    pub(crate) force: bool,

    /// Write a JSON file beside the video, of its name and .json: task, request, hash, times
    #[arg(long)]
    pub(crate) sidecar: bool,
}

impl OutputArgs {
    /// Finds out whether a video could be saved there, before anything is paid for or fetched. Without `id`, the task
    /// does not exist yet.
    pub(crate) fn check(&self, id: Option<&str>) -> Result<(), Failure> {
        if self.output.as_deref() == Some(Path::new("-")) {
            return Err(Failure::usage(
                "a video goes to a file, not to standard output",
            ));
        }
        // The name of a task that does not exist yet is taken by nobody.
        let path = self.path(id.unwrap_or("new task"));
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        check_folder(folder)?;
        let sidecar = self.sidecar.then(|| Sidecar::beside(&path));
        let taken = |path: &&PathBuf| fs::symlink_metadata(path).is_ok();
        match [&path].into_iter().chain(&sidecar).find(taken) {
            Some(path) if !self.force => Err(Failure::file(format!(
                "{} is there already",
                path.display()
            ))
            .with_advice("--force replaces it, -o names another file")),
            _ => Ok(()),
        }
    }

    /// Where the video of task `id` goes.
    pub(crate) fn path(&self, id: &str) -> PathBuf {
        let name = format!("{}.mp4", file_stem(id));
        match &self.output {
            None => name.into(),
            Some(path) if is_folder(path) => path.join(name),
            Some(path) => path.clone(),
        }
    }

    /// The same, with a place for where none was given.
    pub(crate) fn or(mut self, place: Option<&Path>) -> Self {
        self.output = self.output.or(place.map(Path::to_owned));
        self
    }

    /// Where the video goes, for whoever goes on in another folder.
    pub(crate) fn place(&self) -> io::Result<PathBuf> {
        match &self.output {
            Some(path) if !is_folder(path) => std::path::absolute(path),
            // With a separator at its end, so that it stays a folder.
            folder => {
                Ok(std::path::absolute(folder.as_deref().unwrap_or(Path::new(".")))?.join(""))
            }
        }
    }

    /// What the person gave, for commands that say how to go on.
    pub(crate) fn given(&self) -> Option<&Path> {
        self.output.as_deref()
    }
}

fn is_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    path.is_dir() || text.ends_with(b"/") || text.ends_with(MAIN_SEPARATOR.to_string().as_bytes())
}

/// The only sure test of a folder is to make a file in it.
fn check_folder(folder: &Path) -> Result<(), Failure> {
    let made = tempfile::Builder::new()
        .prefix(".kling-omni-")
        .suffix(".part")
        .tempfile_in(folder);
    let Err(error) = made else {
        return Ok(());
    };
    let shown = folder.display();
    let failure = match error.kind() {
        io::ErrorKind::NotFound => Failure::file(format!("the folder {shown} does not exist"))
            .with_advice("make it first, or give another path to -o"),
        io::ErrorKind::NotADirectory => {
            Failure::file(format!("{shown} is not a folder")).with_advice("give another path to -o")
        }
        kind => Failure::file(format!("nothing can be written to the folder {shown}"))
            .with_cause(kind)
            .with_advice("give another path to -o"),
    };
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn videos_go_where_they_were_asked_to() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().to_owned();
        for (output, id, path) in [
            (None, "046b-6c7f", PathBuf::from("046b-6c7f.mp4")),
            (
                None,
                "aux",
                PathBuf::from(format!("{}.mp4", file_stem("aux"))),
            ),
            (Some("clip.mp4".into()), "1", PathBuf::from("clip.mp4")),
            (
                Some("not/there/".into()),
                "1",
                PathBuf::from("not/there/1.mp4"),
            ),
            (Some(there.clone()), "1", there.join("1.mp4")),
        ] {
            let args = OutputArgs {
                output,
                force: false,
                sidecar: false,
            };
            assert_eq!(args.path(id), path);
        }
    }
}
