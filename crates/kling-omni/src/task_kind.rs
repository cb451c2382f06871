//! The kind of a task. Tasks of one kind take similar times: they have the same mode and tier, the same video length,
//! and either all or none have a start frame.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::engine::polling::durations::TaskKind;
use crate::media_field::MediaField;
use crate::request::length::default_text;
use crate::route::{CreateRoute, Mode, Tier};

const FROM_IMAGE: [(bool, &str); 2] = [(false, "without-image"), (true, "with-image")];

/// The kind of the task that `body` creates on `route`. A missing length is the default of the document.
pub(crate) fn kind_of(route: CreateRoute, body: &Value) -> TaskKind {
    let is_set = |field: MediaField| field.value(body).is_some_and(Value::is_string);
    let named = body.get("duration").and_then(Value::as_str);
    encode(
        route.mode(),
        route.tier(),
        named.or(default_duration(route)).map_or(0, seconds),
        MediaField::START_FRAMES.into_iter().any(is_set),
    )
}

/// The default length of a video.
fn default_duration(route: CreateRoute) -> Option<&'static str> {
    let rules = route.limits().iter().find(|field| field.name == "duration");
    default_text(rules?)
}

/// Invalid and unknown lengths share one kind.
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
    type Err = ParseTaskKindError;

    fn from_str(text: &str) -> Result<Self, ParseTaskKindError> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(ParseTaskKindError);
        let mode = part()?.parse().map_err(|_| ParseTaskKindError)?;
        let tier = part()?.parse().map_err(|_| ParseTaskKindError)?;
        let seconds = part()?.parse().map_err(|_| ParseTaskKindError)?;
        let start = part()?;
        let start = FROM_IMAGE.iter().find(|(_, name)| *name == start);
        let (from_image, _) = start.ok_or(ParseTaskKindError)?;
        match parts.next() {
            None => Ok(encode(mode, tier, seconds, *from_image)),
            Some(_) => Err(ParseTaskKindError),
        }
    }
}

impl TryFrom<String> for TaskKind {
    type Error = ParseTaskKindError;

    fn try_from(text: String) -> Result<Self, ParseTaskKindError> {
        text.parse()
    }
}

/// A text is not a valid task kind.
#[derive(Debug)]
pub(crate) struct ParseTaskKindError;

impl fmt::Display for ParseTaskKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid task kind: expected a text such as reference/pro/5/with-image")
    }
}

impl std::error::Error for ParseTaskKindError {}
