use std::error::Error as _;
use std::io;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use clap::Args;
use kling_omni::{Destination, file_stem};

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
    pub(crate) async fn check(&self, id: Option<&str>) -> Result<(), Failure> {
        if self.output.as_deref() == Some(Path::new("-")) {
            return Err(Failure::usage(
                "a video goes to a file, not to standard output",
            ));
        }
        // The name of a task that does not exist yet is taken by nobody.
        let destination = Destination::new(self.path(id.unwrap_or("new task")))
            .overwrite(self.force)
            .sidecar(self.sidecar);
        let destination = match id {
            // What is paid for may just fit.
            Some(_) => destination.room(0),
            None => destination,
        };
        destination.check().await.map_err(|error| {
            let cause = error.source().and_then(|cause| cause.downcast_ref());
            let failure = Failure::file(error.summary());
            failure.with_advice(match cause.map(io::Error::kind) {
                None => "--force replaces it, -o names another file",
                Some(io::ErrorKind::NotFound) => "make it first, or give another path to -o",
                Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                    "make room, or give another path to -o"
                }
                Some(_) => "give another path to -o",
            })
        })
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
