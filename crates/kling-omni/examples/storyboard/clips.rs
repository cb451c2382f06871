//! The clips of a storyboard, each with a journal, and the frames between them.

use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use kling_omni::journal::{Journal, JournalOutcome};
use kling_omni::{Client, TextToVideo};
use tokio::task::spawn_blocking;

/// The seconds of a clip.
const SECONDS: u32 = 3;

pub struct Storyboard {
    pub client: Client,
    /// The folder of clips, frames and journals.
    pub folder: PathBuf,
    /// The program that extracts frames.
    pub ffmpeg: OsString,
}

impl Storyboard {
    /// Makes a clip of each shot. A clip that an earlier run has paid for is not paid for again.
    pub async fn make(&self, shots: &[String]) -> Result<Vec<PathBuf>, Box<dyn Error>> {
        // Before anything is paid for.
        self.run_ffmpeg(vec!["-version".into()]).await?;
        std::fs::create_dir_all(&self.folder)?;
        let mut clips: Vec<PathBuf> = Vec::new();
        for (number, shot) in (1..).zip(shots) {
            let frame = match clips.last() {
                Some(previous) => Some(self.last_frame(previous).await?),
                None => None,
            };
            clips.push(self.clip(number, shot, frame.as_deref()).await?);
        }
        Ok(clips)
    }

    async fn clip(
        &self,
        number: usize,
        shot: &str,
        first_frame: Option<&Path>,
    ) -> Result<PathBuf, Box<dyn Error>> {
        let mut request = TextToVideo::builder().prompt(shot).duration(SECONDS);
        if let Some(frame) = first_frame {
            request = request.start_frame(frame);
        }
        let create = self.client.create(request.build()?);
        let path = self.folder.join(format!("shot-{number}.mp4"));
        let mut journal = Journal::open_or_create(path.with_extension("journal")).await?;
        match journal.run(&self.client, create, &path).await? {
            JournalOutcome::Saved(_) => Ok(path),
            undecided => {
                Err(format!("the task of shot {number} is ambiguous: {undecided:?}").into())
            }
        }
    }

    /// Writes the last frame of a clip beside it: of the frames of the last second, each replaces the one before.
    async fn last_frame(&self, clip: &Path) -> Result<PathBuf, Box<dyn Error>> {
        let frame = clip.with_extension("png");
        let mut arguments: Vec<OsString> = Vec::new();
        arguments.extend(["-y", "-v", "error", "-sseof", "-1", "-i"].map(OsString::from));
        arguments.push(clip.into());
        arguments.extend(["-update", "1"].map(OsString::from));
        arguments.push((&frame).into());
        self.run_ffmpeg(arguments).await?;
        Ok(frame)
    }

    async fn run_ffmpeg(&self, arguments: Vec<OsString>) -> Result<(), Box<dyn Error>> {
        let mut command = std::process::Command::new(&self.ffmpeg);
        command.args(arguments).stdin(Stdio::null());
        let output = spawn_blocking(move || command.output()).await?;
        let output = output.map_err(|error| {
            format!("ffmpeg cannot be run, install it to make a storyboard: {error}")
        })?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!(
                "ffmpeg failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )
            .into()),
        }
    }
}
