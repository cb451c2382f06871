//! The output options: where the video is saved.

use std::error::Error as _;
use std::io::{self, Read as _};
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use clap::Args;
use kling_omni::download::{Destination, file_stem};

use crate::failure::Failure;
use crate::input;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// File or folder to save the video to [default: ID.mp4 in the current folder]
    #[arg(short, long, value_name = "PATH", value_parser = input::file_or_stdin())]
    output: Option<PathBuf>,

    /// Replace an existing file
    #[arg(short, long, visible_alias = "overwrite")]
    pub(crate) force: bool,

    /// Write a JSON file with task, request, hash and times beside the video, with the suffix .json
    #[arg(long)]
    pub(crate) sidecar: bool,
}

impl OutputArgs {
    /// Checks whether a video can be saved, before it is paid for or downloaded. Without `id`, the task does not exist yet.
    pub(crate) async fn check(&self, id: Option<&str>) -> Result<(), Failure> {
        if self.output.as_deref() == Some(Path::new("-")) {
            return Err(Failure::usage(
                "a video cannot be written to standard output",
            ));
        }
        // No existing file has the name of a new task.
        let destination = Destination::new(self.path(id.unwrap_or("new task")))
            .overwrite(self.force)
            .sidecar(self.sidecar);
        let destination = match id {
            // A paid video may just fit, so no space is required.
            Some(_) => destination.required_space(0),
            None => destination,
        };
        destination.check().await.map_err(|error| {
            let cause = error.source().and_then(|cause| cause.downcast_ref());
            let failure = Failure::file(error.summary());
            failure.with_help(match cause.map(io::Error::kind) {
                None => "add --force to replace it, or use another path with -o",
                Some(io::ErrorKind::NotFound) => "create it, or use another path with -o",
                Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
                    "free some space, or use another path with -o"
                }
                Some(_) => "use another path with -o",
            })
        })
    }

    /// Fails if a file of this program is also the path of the video or of its sidecar.
    pub(crate) fn refuse_shared(&self, option: &str, file: &Path) -> Result<(), Failure> {
        let mut sidecar = self.path("new task").into_os_string();
        sidecar.push(".json");
        let video = self.path("new task");
        let written = [Some(video), self.sidecar.then(|| sidecar.into())];
        match written
            .into_iter()
            .flatten()
            .any(|path| is_same(&path, file))
        {
            true => Err(Failure::usage(format!(
                "{option} names the same file as the video or its sidecar"
            ))
            .with_help("use different files")),
            false => Ok(()),
        }
    }

    /// Returns the path for the video of task `id`.
    pub(crate) fn path(&self, id: &str) -> PathBuf {
        let name = format!("{}.mp4", file_stem(id));
        match &self.output {
            None => name.into(),
            Some(path) if is_folder(path) => path.join(name),
            Some(path) => path.clone(),
        }
    }

    /// Uses `path` if no output was given.
    pub(crate) fn or(mut self, path: Option<&Path>) -> Self {
        self.output = self.output.or(path.map(Path::to_owned));
        self
    }

    /// Returns the absolute path of the output, which stays valid in another working directory.
    pub(crate) fn absolute(&self) -> io::Result<PathBuf> {
        match &self.output {
            Some(path) if !is_folder(path) => std::path::absolute(path),
            // The trailing separator marks it as a folder.
            folder => {
                Ok(std::path::absolute(folder.as_deref().unwrap_or(Path::new(".")))?.join(""))
            }
        }
    }

    /// Returns the path that was given, for suggested commands.
    pub(crate) fn given(&self) -> Option<&Path> {
        self.output.as_deref()
    }
}

/// Checks whether a small file can be written, and replaced if it exists.
pub(crate) async fn check_replaceable(path: &Path) -> Result<(), Failure> {
    let destination = Destination::new(path).overwrite(true).required_space(0);
    let checked = destination.check().await;
    checked.map_err(|error| Failure::file(error.summary()))
}

/// How a page begins, and what it is.
pub(crate) const PAGE: (&str, &str) = ("<!doctype html>", "an HTML page");

/// Fails if a file exists that is not what replaces it: a ledger, a manifest or a video would be lost. `content` says how its
/// content begins and what it is, and `option` names the file.
pub(crate) fn refuse_other_content(
    path: &Path,
    option: &str,
    content: (&str, &str),
) -> Result<(), Failure> {
    let (begin, what) = content;
    let name = input::name(path);
    let mut found = Vec::new();
    let read = input::open_regular(path)
        .and_then(|file| file.take(begin.len() as u64).read_to_end(&mut found));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(input::unreadable(&name, error)),
        Ok(_) if found.eq_ignore_ascii_case(begin.as_bytes()) => Ok(()),
        Ok(_) => Err(Failure::file(format!(
            "{name} exists and is not {what}, so it is not replaced"
        ))),
    }
    .map_err(|failure| failure.with_help(format!("use another path with {option}")))
}

/// Returns whether two paths name the same file, which need not exist.
fn is_same(one: &Path, other: &Path) -> bool {
    let resolve = |path: &Path| {
        let path = std::path::absolute(path).ok()?;
        let folder = path.parent()?.canonicalize().ok()?;
        Some(folder.join(path.file_name()?))
    };
    resolve(one).is_some_and(|resolved| Some(resolved) == resolve(other))
}

fn is_folder(path: &Path) -> bool {
    let text = path.as_os_str().as_encoded_bytes();
    // `name/.` is a folder, too.
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
    fn path_is_in_the_folder_or_the_given_file() {
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
    fn shared_paths_are_refused() {
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
            let refused = args.refuse_shared("--journal", &there.join(name));
            assert_eq!(refused.is_err(), is_refused, "{name}");
        }
    }
}
