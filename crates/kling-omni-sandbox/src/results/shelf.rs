use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tokio::task::JoinError;

use super::token::hex;
use crate::clip::{self, FrameSize, Slate};
use crate::mask;
use crate::task::Task;

/// A rendered result.
#[derive(Clone, Debug)]
pub(super) struct Clip {
    pub(super) bytes: Bytes,
    pub(super) etag: HeaderValue,
}

type Place = Arc<OnceCell<Clip>>;

/// The clips that have been asked for, each rendered at its first request.
#[derive(Debug)]
pub(super) struct Shelf {
    byte_limit: usize,
    places: Mutex<VecDeque<(String, Place)>>,
}

impl Shelf {
    /// Clips beyond `byte_limit` are forgotten, oldest first, and rendered again when asked for. The last one stays.
    pub(super) fn new(byte_limit: usize) -> Self {
        Self {
            byte_limit,
            places: Mutex::default(),
        }
    }

    /// The clip of a task; several requests at once wait for the same rendering.
    pub(super) async fn clip(&self, task: &Task) -> Result<Clip, JoinError> {
        let place = self.place(&task.id);
        let clip = place
            .get_or_try_init(|| {
                let slate = slate(task);
                tokio::task::spawn_blocking(move || Clip::of(clip::render(&slate)))
            })
            .await?
            .clone();
        self.make_room();
        Ok(clip)
    }

    fn place(&self, id: &str) -> Place {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, place)) = places.iter().find(|(owner, _)| owner == id) {
            return Arc::clone(place);
        }
        let place = Place::default();
        places.push_back((id.to_owned(), Arc::clone(&place)));
        place
    }

    fn make_room(&self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |place: &Place| place.get().map_or(0, |clip| clip.bytes.len());
        let mut total: usize = places.iter().map(|(_, place)| size(place)).sum();
        while total > self.byte_limit && places.len() > 1 {
            if let Some((_, place)) = places.pop_front() {
                total -= size(&place);
            }
        }
    }
}

impl Clip {
    fn of(bytes: Vec<u8>) -> Self {
        Self {
            etag: etag(&Sha256::digest(&bytes)),
            bytes: bytes.into(),
        }
    }
}

/// The validator of a file with this SHA-256.
pub(crate) fn etag(digest: &[u8]) -> HeaderValue {
    let etag = format!("\"{}\"", hex(&digest[..16]));
    HeaderValue::try_from(etag).expect("quoted hexadecimal digits make a header")
}

fn slate(task: &Task) -> Slate {
    let order = &task.order;
    let mut details = vec![
        ("aspect".to_owned(), order.aspect_ratio.clone()),
        ("route".to_owned(), task.operation_id.clone()),
    ];
    let inputs = order.inputs.iter();
    details.extend(inputs.map(|(word, url)| ((*word).to_owned(), mask::without_query(url))));
    Slate {
        task_id: task.id.clone(),
        prompt: order.prompt.clone(),
        seconds: order.seconds,
        frame: frame(&order.shape),
        details,
    }
}

/// The picture size for sides such as `16:9`.
fn frame(shape: &str) -> FrameSize {
    let sides = shape
        .split_once(':')
        .and_then(|(wide, high)| FrameSize::with_sides(wide.parse().ok()?, high.parse().ok()?));
    sides.unwrap_or(FrameSize::WIDESCREEN)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::Value;

    use super::*;
    use crate::task::{NewTask, Order, Tasks};

    fn task(tasks: &Tasks, id: &str) -> Arc<Task> {
        let new = NewTask {
            id: id.to_owned(),
            key: 0,
            operation_id: String::new(),
            family: String::new(),
            request: Value::Null,
            order: Order {
                prompt: id.to_owned(),
                seconds: 1,
                aspect_ratio: String::new(),
                shape: String::new(),
                inputs: Vec::new(),
            },
            created_at: SystemTime::UNIX_EPOCH,
            total: Duration::ZERO,
        };
        tasks.create(new, None)
    }

    #[tokio::test]
    async fn the_oldest_clips_make_room_and_come_back_the_same() {
        let tasks = Tasks::default();
        let all = ["a", "b", "c"].map(|id| task(&tasks, id));
        let size = Shelf::new(0).clip(&all[0]).await.unwrap().bytes.len();
        let shelf = Shelf::new(size * 5 / 2);
        let kept = || {
            let places = shelf.places.lock().unwrap();
            places.iter().map(|(id, _)| id.clone()).collect::<String>()
        };
        let mut etags = vec![];
        for (task, expected) in all
            .iter()
            .chain(&all)
            .zip(["a", "ab", "bc", "ca", "ab", "bc"])
        {
            etags.push(shelf.clip(task).await.unwrap().etag);
            assert_eq!(kept(), expected);
        }
        assert_eq!(etags[..3], etags[3..]);
        assert_ne!(etags[0], etags[1]);
    }

    #[test]
    fn frames() {
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
            let frame = frame(shape);
            assert_eq!((frame.width(), frame.height()), expected, "{shape}");
        }
    }
}
