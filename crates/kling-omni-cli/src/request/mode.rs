//! What a request is made from, by its fields.

use kling_omni::Mode;
use kling_omni::request::RequestType;
use serde_json::{Map, Value};

use super::fields::RequestFields;
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

/// The types of requests, those first that a request is of if several have its fields: from text, since without a
/// reference video nothing else can be made, and then in the order of the modes.
pub(super) fn by_preference() -> impl Iterator<Item = &'static RequestType> {
    let (text, others): (Vec<_>, Vec<_>) = RequestType::ALL
        .iter()
        .partition(|one| one.mode == Mode::Text);
    text.into_iter().chain(others)
}

/// A part of a request, and the types that can have it.
struct Part {
    /// The name under which it was given.
    shown: String,
    types: Vec<&'static RequestType>,
}

impl Parts<'_> {
    /// The mode of the request: as asked for, else the preferred one that has all fields.
    ///
    /// # Errors
    ///
    /// Fields that no mode has together, or that the one asked for does not have.
    pub(super) fn mode(&self) -> Result<Mode, Failure> {
        let parts = self.given();
        let has = |part: &Part, mode: Mode| part.types.iter().any(|one| one.mode == mode);
        if let Some(mode) = self.mode {
            return match parts.iter().find(|part| !has(part, mode)) {
                Some(Part { shown, .. }) => Err(Failure::usage(format!(
                    "{shown} does not go with --mode {mode}"
                ))),
                None => Ok(mode),
            };
        }
        let mut fitting = by_preference().map(|one| one.mode);
        match fitting.find(|mode| parts.iter().all(|part| has(part, *mode))) {
            Some(mode) => Ok(mode),
            None => Err(conflict(&parts)),
        }
    }

    /// What is set and not in every type, a field that no type has aside: it is refused where its place is known.
    fn given(&self) -> Vec<Part> {
        let mut names: Vec<&str> = Vec::new();
        for row in RequestType::ALL.iter().flat_map(|one| one.table) {
            if !names.contains(&row.name) {
                names.push(row.name);
            }
        }
        let fields = names.into_iter().filter_map(|name| {
            let is_option = self.options.names().any(|given| given == name);
            let shown = match self.file.get(name) {
                _ if is_option => RequestFields::option(name),
                Some(value) if !value.is_null() => format!("{name} in the file"),
                _ => return None,
            };
            let has_field = |one: &RequestType| one.table.iter().any(|row| row.name == name);
            Some(Part::new(shown, has_field))
        });
        let route = self
            .has_route
            .then(|| Part::new("--route".to_owned(), |one| one.mode == Mode::Reference));
        let parts = fields.chain(route);
        parts
            .filter(|part| part.types.len() < RequestType::ALL.len())
            .collect()
    }
}

impl Part {
    fn new(shown: String, has_it: impl Fn(&RequestType) -> bool) -> Self {
        Self {
            shown,
            types: RequestType::ALL.iter().filter(|one| has_it(one)).collect(),
        }
    }

    fn sources(&self) -> String {
        let sources: Vec<_> = self.types.iter().map(|one| one.source).collect();
        sources.join(" or ")
    }
}

/// Names the first two parts that have no mode in common, or else all of them.
fn conflict(parts: &[Part]) -> Failure {
    let pairs = parts
        .iter()
        .enumerate()
        .flat_map(|(index, one)| parts[index + 1..].iter().map(move |other| [one, other]));
    let is_apart = |[one, other]: &[&Part; 2]| {
        let mut modes = one.types.iter().map(|one| one.mode);
        !modes.any(|mode| other.types.iter().any(|other| other.mode == mode))
    };
    let apart = pairs.into_iter().find(is_apart);
    let apart = apart.map_or_else(|| parts.iter().collect(), Vec::from);
    let apart: Vec<_> = apart
        .into_iter()
        .map(|part| format!("{} goes with {}", part.shown, part.sources()))
        .collect();
    Failure::usage(apart.join(", and ")).with_help("make a video of each")
}
