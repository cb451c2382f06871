//! Where a video goes.

use std::error::Error as _;
use std::io;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use clap::Args;
use kling_omni::download::{Destination, file_stem};

use crate::failure::Failure;
use crate::input;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// File to save the video as, or a folder for it [default: the task's id and .mp4, in the current folder]
    #[arg(short, long, value_name = "PATH", value_parser = input::file_or_stdin())]
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
            Some(_) => destination.required_space(0),
            None => destination,
        };
        destination.check().await.map_err(|error| {
            let cause = error.source().and_then(|cause| cause.downcast_ref());
            let failure = Failure::file(error.summary());
            failure.with_help(match cause.map(io::Error::kind) {
                None => "--force replaces it, -o names another file",
                Some(io::ErrorKind::NotFound) => "make it first, or give another path to -o",
                Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                    "make room, or give another path to -o"
                }
                Some(_) => "give another path to -o",
            })
        })
    }

    /// Refuses a file of this program's own where the video or its sidecar goes: one would replace the other, or stand in
    /// its way once the video is paid for.
    pub(crate) fn refuse_shared(&self, option: &str, file: &Path) -> Result<(), Failure> {
        let mut description = self.path("new task").into_os_string();
        description.push(".json");
        let video = self.path("new task");
        let written = [Some(video), self.sidecar.then(|| description.into())];
        match written
            .into_iter()
            .flatten()
            .any(|path| is_same(&path, file))
        {
            true => Err(Failure::usage(format!(
                "{option} names the file that the video or its sidecar is saved as"
            ))
            .with_help("give each a file of its own")),
            false => Ok(()),
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

/// Whether two paths name one file, which need not be there yet.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let path = std::path::absolute(path).ok()?;
        let folder = path.parent()?.canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    place(one).is_some_and(|place_of_one| Some(place_of_one) == place(other))
}

fn is_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    // Nothing but a folder is named by `name/.` either.
    let text = match text.strip_suffix(b".") {
        Some(name) if !name.ends_with(b".") => name,
        _ => text,
    };
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
            (
                Some("not/there/.".into()),
                "1",
                PathBuf::from("not/there/1.mp4"),
            ),
            (Some("clip.".into()), "1", PathBuf::from("clip.")),
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

    #[test]
    fn a_file_of_the_program_is_not_where_the_video_goes() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path();
        let args = OutputArgs {
            output: Some(there.join("clip.mp4")),
            force: true,
            sidecar: true,
        };
        for (name, is_refused) in [
            ("clip.mp4", true),
            ("./clip.mp4", true),
            ("clip.mp4.json", true),
            ("clip.json", false),
            ("not/there/clip.mp4", false),
        ] {
            let refused = args.refuse_shared("--state", &there.join(name));
            assert_eq!(refused.is_err(), is_refused, "{name}");
        }
    }
}
