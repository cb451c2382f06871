//! Whether a request is made from a reference video or from text.

use kling_omni::Mode;
use serde_json::{Map, Value};

use super::fields::{self, RequestFields};
use crate::failure::Failure;

/// The parts that a request is put together from.
pub(super) struct Parts<'a> {
    /// The mode that was asked for.
    pub(super) mode: Option<Mode>,
    /// Whether a route was chosen, which there is for a reference video only.
    pub(super) has_route: bool,
    pub(super) options: &'a RequestFields,
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
        let other = match mode {
            Mode::Text => Mode::Reference,
            _ => Mode::Text,
        };
        fields::names(mode)
            .filter(|name| fields::names(other).all(|there| there != *name))
            .filter_map(|name| {
                match (
                    self.options.names().any(|given| given == name),
                    self.file.get(name),
                ) {
                    (true, _) => Some(RequestFields::option(name)),
                    (false, Some(value)) if !value.is_null() => Some(format!("{name} in the file")),
                    _ => None,
                }
            })
            .collect()
    }
}

fn foreign(mode: Mode, given: &str) -> Failure {
    Failure::usage(format!("{given} does not go with --mode {mode}"))
}
