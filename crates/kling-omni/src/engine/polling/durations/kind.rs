use std::fmt;
use std::str::FromStr;
use std::time::Instant;

use kling_omni_api::Scalar;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::route::{CreateRoute, Mode, Tier};

/// Tasks that take similar times: of one mode and tier, of videos equally long, with or without an image to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct TaskKind {
    mode: Mode,
    tier: Tier,
    seconds: u8,
    from_image: bool,
}

/// The fields that start a video from an image.
const START_IMAGES: &[&str] = &["image_url", "start_image_url"];

const FROM_IMAGE: [(bool, &str); 2] = [(false, "without-image"), (true, "with-image")];

/// The kind of a task that this client created, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskOrigin {
    pub(crate) kind: TaskKind,
    pub(crate) created: Instant,
}

impl TaskKind {
    /// The kind of the task that `body` makes on `route`; a length that it does not name is the document's default.
    pub(crate) fn of(route: CreateRoute, body: &Value) -> Self {
        let is_set = |name: &&str| body.get(name).is_some_and(Value::is_string);
        let named = body.get("duration").and_then(Value::as_str);
        Self {
            mode: route.mode(),
            tier: route.tier(),
            seconds: named.or(usual(route)).map_or(0, seconds),
            from_image: START_IMAGES.iter().any(is_set),
        }
    }
}

/// The length of a video that names none.
fn usual(route: CreateRoute) -> Option<&'static str> {
    let rules = route.limits().iter().find(|field| field.name == "duration");
    match rules?.default? {
        Scalar::Text(seconds) => Some(seconds),
        _ => None,
    }
}

/// Lengths that are none, or that nobody knows yet, are of one kind.
fn seconds(text: &str) -> u8 {
    text.parse().unwrap_or(0)
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            mode,
            tier,
            seconds,
            from_image,
        } = self;
        let start = FROM_IMAGE[usize::from(*from_image)].1;
        write!(f, "{mode}/{tier}/{seconds}/{start}")
    }
}

impl From<TaskKind> for String {
    fn from(kind: TaskKind) -> Self {
        kind.to_string()
    }
}

impl FromStr for TaskKind {
    type Err = NoKind;

    fn from_str(text: &str) -> Result<Self, NoKind> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(NoKind);
        let kind = Self {
            mode: part()?.parse().map_err(|_| NoKind)?,
            tier: part()?.parse().map_err(|_| NoKind)?,
            seconds: part()?.parse().map_err(|_| NoKind)?,
            from_image: {
                let start = part()?;
                let known = FROM_IMAGE.iter().find(|(_, name)| *name == start);
                known.ok_or(NoKind)?.0
            },
        };
        match parts.next() {
            None => Ok(kind),
            Some(_) => Err(NoKind),
        }
    }
}

impl TryFrom<String> for TaskKind {
    type Error = NoKind;

    fn try_from(text: String) -> Result<Self, NoKind> {
        text.parse()
    }
}

/// A text names no kind of task.
#[derive(Debug)]
pub(crate) struct NoKind;

impl fmt::Display for NoKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a kind of task is written like reference/pro/5/with-image")
    }
}

impl std::error::Error for NoKind {}
