//! Whether a request is made from a reference video or from text.

use kling_omni::Mode;
use kling_omni_api::limits::{video_reference_request, video_request};
use serde_json::{Map, Value};

use super::fields::RequestFields;
use crate::failure::Failure;

/// The parts that a request is put together from.
pub(super) struct Parts<'a> {
    /// The mode that was asked for.
    pub(super) mode: Option<Mode>,
    /// Whether a route was chosen, which there is for a reference video only.
    pub(super) has_route: bool,
    pub(super) options: &'a Map<String, Value>,
    pub(super) file: &'a Map<String, Value>,
}

impl Parts<'_> {
    /// The mode of the request: as asked for, else that of the fields which one mode alone has, else from text, since
    /// without a reference video nothing else can be made.
    ///
    /// # Errors
    ///
    /// Fields of both modes, or of another than the one asked for.
    pub(super) fn mode(&self) -> Result<Mode, Failure> {
        let mut reference = self.only_in(Mode::Reference);
        if self.has_route {
            reference.push("--route".to_owned());
        }
        let text = self.only_in(Mode::Text);
        match (self.mode, &reference[..], &text[..]) {
            (Some(Mode::Reference), _, [first, ..]) => Err(foreign(Mode::Reference, first)),
            (Some(Mode::Text), [first, ..], _) => Err(foreign(Mode::Text, first)),
            (Some(mode), ..) => Ok(mode),
            (None, [of_reference, ..], [of_text, ..]) => Err(Failure::usage(format!(
                "{of_reference} goes with a reference video, and {of_text} with text and images"
            ))
            .with_help("make one video from a reference video and another from text")),
            (None, [_, ..], []) => Ok(Mode::Reference),
            (None, [], _) => Ok(Mode::Text),
        }
    }

    /// The fields that are set and that no other mode has, by the names under which they were given.
    fn only_in(&self, mode: Mode) -> Vec<String> {
        let reference = video_reference_request::FIELDS;
        let (here, there) = match mode {
            Mode::Text => (video_request::FIELDS, reference),
            _ => (reference, video_request::FIELDS),
        };
        here.iter()
            .map(|field| field.name)
            .filter(|name| !there.iter().any(|field| field.name == *name))
            .filter_map(|name| match (self.options.get(name), self.file.get(name)) {
                (Some(_), _) => Some(RequestFields::option(name)),
                (None, Some(value)) if !value.is_null() => Some(format!("{name} in the file")),
                _ => None,
            })
            .collect()
    }
}

fn foreign(mode: Mode, given: &str) -> Failure {
    Failure::usage(format!("{given} does not go with --mode {mode}"))
}
