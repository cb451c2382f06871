//! Kinds of tasks that take similar times: of one mode and tier, of videos equally long, with or without an image to
//! start from.

use std::fmt;
use std::str::FromStr;

use kling_omni_api::Scalar;
use serde_json::Value;

use crate::engine::polling::durations::TaskKind;
use crate::media_field::MediaField;
use crate::route::{CreateRoute, Mode, Tier};

const FROM_IMAGE: [(bool, &str); 2] = [(false, "without-image"), (true, "with-image")];

/// The kind of the task that `body` makes on `route`; a length that it does not name is the document's default.
pub(crate) fn kind_of(route: CreateRoute, body: &Value) -> TaskKind {
    let is_set = |field: MediaField| field.value(body).is_some_and(Value::is_string);
    let named = body.get("duration").and_then(Value::as_str);
    encode(
        route.mode(),
        route.tier(),
        named.or(usual(route)).map_or(0, seconds),
        MediaField::START_FRAMES.into_iter().any(is_set),
    )
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

fn encode(mode: Mode, tier: Tier, seconds: u8, from_image: bool) -> TaskKind {
    TaskKind(u32::from_be_bytes([
        mode as u8,
        tier as u8,
        seconds,
        from_image.into(),
    ]))
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [mode, tier, seconds, from_image] = self.0.to_be_bytes();
        let mode = Mode::ALL[usize::from(mode)];
        let tier = Tier::ALL[usize::from(tier)];
        let start = FROM_IMAGE[usize::from(from_image)].1;
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
        let mode = part()?.parse().map_err(|_| NoKind)?;
        let tier = part()?.parse().map_err(|_| NoKind)?;
        let seconds = part()?.parse().map_err(|_| NoKind)?;
        let start = part()?;
        let start = FROM_IMAGE.iter().find(|(_, name)| *name == start);
        let (from_image, _) = start.ok_or(NoKind)?;
        match parts.next() {
            None => Ok(encode(mode, tier, seconds, *from_image)),
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
