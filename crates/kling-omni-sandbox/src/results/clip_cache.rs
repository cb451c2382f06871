//! Renders the clips of tasks on request, and caches them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest, Sha256};
use test_card::{FRAME_RATE, FrameSize, TestCard};
use tokio::sync::OnceCell;
use tokio::task::JoinError;

use crate::redact;
use crate::signer::etag;
use crate::task::Task;

/// A rendered result.
#[derive(Clone, Debug)]
pub(super) struct Clip {
    pub(super) bytes: Bytes,
    pub(super) etag: HeaderValue,
}

/// A clip that is rendered once, even for concurrent requests.
type Entry = Arc<OnceCell<Clip>>;

/// The cache of rendered clips.
#[derive(Debug)]
pub(super) struct ClipCache {
    byte_limit: usize,
    entries: Mutex<VecDeque<(String, Entry)>>,
}

impl ClipCache {
    /// Beyond `byte_limit`, the oldest clips are evicted, and rendered again on request. The newest one is always kept.
    pub(super) fn new(byte_limit: usize) -> Self {
        Self {
            byte_limit,
            entries: Mutex::default(),
        }
    }

    /// Returns the clip of a task. Concurrent requests wait for the same rendering.
    pub(super) async fn clip(&self, task: &Task) -> Result<Clip, JoinError> {
        let entry = self.entry(&task.id);
        let clip = entry
            .get_or_try_init(|| {
                let card = test_card(task);
                tokio::task::spawn_blocking(move || Clip::new(card.render()))
            })
            .await?
            .clone();
        self.evict();
        Ok(clip)
    }

    fn entry(&self, id: &str) -> Entry {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, entry)) = entries.iter().find(|(owner, _)| owner == id) {
            return Arc::clone(entry);
        }
        let entry = Entry::default();
        entries.push_back((id.to_owned(), Arc::clone(&entry)));
        entry
    }

    fn evict(&self) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |entry: &Entry| entry.get().map_or(0, |clip| clip.bytes.len());
        let mut total: usize = entries.iter().map(|(_, entry)| size(entry)).sum();
        while total > self.byte_limit && entries.len() > 1 {
            if let Some((_, entry)) = entries.pop_front() {
                total -= size(&entry);
            }
        }
    }
}

impl Clip {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            etag: etag(&Sha256::digest(&bytes)),
            bytes: bytes.into(),
        }
    }
}

fn test_card(task: &Task) -> TestCard {
    let spec = &task.render_spec;
    let size = spec
        .size
        .and_then(|(width, height)| FrameSize::from_pixels(width, height))
        .unwrap_or_else(|| size(&spec.shape));
    let card = TestCard::new("kling-omni sandbox")
        .note("placeholder clip: no model was run")
        .detail("task", &task.id)
        .detail(
            "output",
            format!("{} s · {size} · {FRAME_RATE} fps", spec.seconds),
        )
        .detail("aspect", &spec.aspect_ratio)
        .detail("route", &task.operation_id)
        .text(&spec.prompt)
        .size(size)
        .seconds(spec.seconds)
        .sound(spec.has_sound);
    spec.inputs.iter().fold(card, |card, (label, url)| {
        card.detail(*label, redact::without_query(url))
    })
}

/// Returns the frame size for an aspect ratio such as `16:9`.
fn size(shape: &str) -> FrameSize {
    let size = shape.split_once(':').and_then(|(width, height)| {
        FrameSize::with_ratio(width.parse().ok()?, height.parse().ok()?)
    });
    size.unwrap_or(FrameSize::WIDESCREEN)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::Value;

    use super::*;
    use crate::task::{NewTask, RenderSpec, TaskStore};

    fn task(tasks: &TaskStore, id: &str) -> Arc<Task> {
        let new = NewTask {
            id: id.to_owned(),
            key: 0,
            operation_id: String::new(),
            family: "",
            request: Value::Null,
            render_spec: RenderSpec {
                prompt: id.to_owned(),
                seconds: 1,
                aspect_ratio: String::new(),
                shape: String::new(),
                size: None,
                has_sound: false,
                inputs: Vec::new(),
            },
            created_at: SystemTime::UNIX_EPOCH,
            total: Duration::ZERO,
        };
        tasks.create(new, None)
    }

    #[tokio::test]
    async fn oldest_clips_are_evicted_and_rendered_again() {
        let tasks = TaskStore::default();
        let all = ["a", "b", "c"].map(|id| task(&tasks, id));
        let size = ClipCache::new(0).clip(&all[0]).await.unwrap().bytes.len();
        let cache = ClipCache::new(size * 5 / 2);
        let kept = || {
            let entries = cache.entries.lock().unwrap();
            entries.iter().map(|(id, _)| id.clone()).collect::<String>()
        };
        let mut etags = vec![];
        for (task, expected) in all
            .iter()
            .chain(&all)
            .zip(["a", "ab", "bc", "ca", "ab", "bc"])
        {
            etags.push(cache.clip(task).await.unwrap().etag);
            assert_eq!(kept(), expected);
        }
        assert_eq!(etags[..3], etags[3..]);
        assert_ne!(etags[0], etags[1]);
    }

    #[test]
    fn size_follows_the_aspect_ratio() {
        let cases = [
            ("16:9", (1280, 720)),
            ("9:16", (720, 1280)),
            ("1:1", (960, 960)),
            ("21:9", (1456, 624)),
            ("960:540", (1280, 720)),
            ("0:1", (1280, 720)),
            ("60000:1", (1280, 720)),
            ("wide", (1280, 720)),
        ];
        for (shape, expected) in cases {
            let size = size(shape);
            assert_eq!((size.width(), size.height()), expected, "{shape}");
        }
    }
}
