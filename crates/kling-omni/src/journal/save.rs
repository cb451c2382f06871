//! The end of a task and its video, in a journal.

use std::path::Path;
use std::sync::Arc;

use crate::blocking_thread::run_blocking;
use crate::engine::download::destination::{Destination, Place};
use crate::engine::download::{Save, Saved};
use crate::engine::error::Result;
use crate::engine::state::TaskState;
use crate::journal::Journal;
use crate::journal::record::Record;
use crate::journal::state::State;

impl Journal {
    /// Records the status of the task if it is terminal. [`write_error`](Self::write_error) returns a failure to write
    /// it.
    pub async fn record_ended(&mut self, state: &TaskState) {
        let is_its_own = self.state().task_id() == Some(state.id());
        if is_its_own && state.status().is_terminal() {
            let status = state.status().clone();
            self.records.record_or_log(Record::Ended { status }).await;
        }
    }

    /// Saves the video. Writes a record before the file gets its final name and one after that. Replaces an existing
    /// file of this name only if its hash shows that this journal saved it, and an object if it has the same task.
    ///
    /// A failure to write a record does not fail the save: [`write_error`](Self::write_error) returns it.
    ///
    /// # Errors
    ///
    /// Those of [`Video::save`](crate::Video::save).
    pub async fn save(&mut self, mut save: Save) -> Result<Saved> {
        if let State::Publishing { file, .. } | State::Saved { file, .. } = self.state()
            && let Place::File(path) = save.place()
            && std::path::absolute(path).is_ok_and(|path| path == file.path)
            && is_in_place(file).await
        {
            save = save.overwrite(true);
        }
        let records = Arc::clone(&self.records);
        let saved = save
            .before_publish(move |saved| async move {
                let file = absolute(&saved);
                records.record_or_log(Record::Publishing { file }).await;
            })
            .await?;
        let file = absolute(&saved);
        self.records.record_or_log(Record::Saved { file }).await;
        Ok(saved)
    }

    /// Returns the saved video if the file exists unchanged, with its sidecar if it has one. If the process was killed
    /// after it named the file and before it recorded that, the record is written now. For an object, use
    /// [`verify_saved_at`](Self::verify_saved_at).
    pub async fn verify_saved(&mut self) -> Option<Saved> {
        self.verify(None).await
    }

    /// As [`verify_saved`](Self::verify_saved). If the video was saved as an object, `destination` has to be this object: the
    /// journal has no credentials. Compares the length and the id of the save in the object's metadata.
    pub async fn verify_saved_at(&mut self, destination: &Destination) -> Option<Saved> {
        self.verify(Some(&destination.place)).await
    }

    async fn verify(&mut self, place: Option<&Place>) -> Option<Saved> {
        let state = self.state();
        let (State::Publishing { file, .. } | State::Saved { file, .. }) = &state else {
            return None;
        };
        let is_saved = match place {
            #[cfg(feature = "object-store")]
            Some(Place::Object(object)) if file.save_id.is_some() => {
                object.url() == file.path && object.is_saved(file).await
            }
            _ => {
                let has_sidecar = file.sidecar.as_deref().is_none_or(Path::exists);
                has_sidecar && is_in_place(file.clone()).await
            }
        };
        if !is_saved {
            return None;
        }
        if matches!(state, State::Publishing { .. }) {
            let file = file.clone();
            self.records.record_or_log(Record::Saved { file }).await;
        }
        Some(file.clone())
    }
}

/// Makes the paths of files absolute, because a later process may have another current directory.
fn absolute(saved: &Saved) -> Saved {
    if saved.save_id.is_some() {
        return saved.clone();
    }
    let make_absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Saved {
        path: make_absolute(&saved.path),
        sidecar: saved.sidecar.as_deref().map(make_absolute),
        ..saved.clone()
    }
}

async fn is_in_place(file: Saved) -> bool {
    if file.save_id.is_some() {
        return false;
    }
    run_blocking(move || file.is_in_place().unwrap_or(false)).await
}
