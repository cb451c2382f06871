//! A task and its video.

use std::ops::Deref;

use crate::blocking::calls::{Save, Wait};
use crate::blocking::iterators::{Download, Updates};
use crate::blocking::runtime::block_on;
use crate::engine::download::{self, Destination};
use crate::engine::error::Result;
use crate::engine::state::TaskState;
use crate::engine::task;
use crate::engine::task::watch::TaskRef;

/// A paid task. The blocking form of [`crate::Task`], to which it dereferences.
#[derive(Clone, Debug)]
pub struct Task(task::Task);

/// A finished video. The blocking form of [`crate::Video`], to which it dereferences.
#[derive(Clone, Debug)]
pub struct Video(download::Video);

impl Task {
    /// As [`crate::Task::refresh`].
    ///
    /// # Errors
    ///
    /// Those of [`crate::Task::refresh`], and of [every blocking call](crate::blocking#errors).
    pub fn refresh(&self) -> Result<TaskState> {
        block_on(self.0.refresh())?
    }

    /// As [`crate::Task::wait`]: waits in [`run`](Wait::run).
    pub fn wait(&self) -> Wait {
        Wait(self.0.wait())
    }

    /// As [`crate::Task::updates`], as an iterator.
    pub fn updates(&self) -> Updates {
        Updates::new(self.0.updates())
    }

    /// As [`crate::Task::video`].
    ///
    /// # Errors
    ///
    /// Those of [`crate::Task::video`].
    pub fn video(&self) -> Result<Video> {
        self.0.video().map(Video)
    }
}

impl Video {
    /// As [`crate::Video::save`]: saves in [`run`](Save::run).
    pub fn save(&self, destination: impl Into<Destination>) -> Save {
        Save(self.0.save(destination))
    }

    /// As [`crate::Video::download`], as an iterator over the chunks.
    ///
    /// # Errors
    ///
    /// Those of [`crate::Video::download`], and of [every blocking call](crate::blocking#errors).
    pub fn download(&self) -> Result<Download> {
        block_on(self.0.download())?.map(Download::new)
    }
}

impl Deref for Task {
    type Target = task::Task;

    fn deref(&self) -> &task::Task {
        &self.0
    }
}

impl Deref for Video {
    type Target = download::Video;

    fn deref(&self) -> &download::Video {
        &self.0
    }
}

impl From<task::Task> for Task {
    fn from(task: task::Task) -> Self {
        Self(task)
    }
}

impl From<download::Video> for Video {
    fn from(video: download::Video) -> Self {
        Self(video)
    }
}

impl From<&Task> for TaskRef {
    fn from(task: &Task) -> Self {
        Self::from(&task.0)
    }
}

impl From<Task> for TaskRef {
    fn from(task: Task) -> Self {
        Self::from(task.0)
    }
}
