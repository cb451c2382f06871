//! Chooses the mode of a request by its fields.

use kling_omni::Mode;
use kling_omni::request::RequestType;
use serde_json::{Map, Value};

use super::fields::RequestFields;
use crate::failure::Failure;

/// The inputs that determine the mode.
pub(super) struct RequestParts<'a> {
    /// The value of `--mode`.
    pub(super) mode: Option<Mode>,
    /// Whether `--route` was given, which only requests with a reference video have.
    pub(super) has_route: bool,
    pub(super) options: &'a RequestFields,
    pub(super) file: &'a Map<String, Value>,
}

/// A field or option of a request, and the types that have it.
struct RequestPart {
    /// The name in messages.
    name: String,
    types: Vec<&'static RequestType>,
}

impl RequestParts<'_> {
    /// Returns the mode: the value of `--mode`, else the preferred mode that has all fields.
    ///
    /// # Errors
    ///
    /// Fails if no mode, or not the given one, has all fields.
    pub(super) fn mode(&self) -> Result<Mode, Failure> {
        let parts = self.distinctive();
        let has = |part: &RequestPart, mode: Mode| part.types.iter().any(|one| one.mode == mode);
        if let Some(mode) = self.mode {
            return match parts.iter().find(|part| !has(part, mode)) {
                Some(RequestPart { name, .. }) => Err(Failure::usage(format!(
                    "{name} cannot be used with --mode {mode}"
                ))),
                None => Ok(mode),
            };
        }
        let mut modes = RequestType::by_preference().map(|one| one.mode);
        match modes.find(|mode| parts.iter().all(|part| has(part, *mode))) {
            Some(mode) => Ok(mode),
            None => Err(conflict(&parts)),
        }
    }

    /// Returns the parts that are set and that not every type has. Unknown fields are rejected later, with their position.
    fn distinctive(&self) -> Vec<RequestPart> {
        let mut names: Vec<&str> = Vec::new();
        for row in RequestType::ALL.iter().flat_map(|one| one.table) {
            if !names.contains(&row.name) {
                names.push(row.name);
            }
        }
        let fields = names.into_iter().filter_map(|name| {
            let is_option = self.options.names().any(|given| given == name);
            let label = match self.file.get(name) {
                _ if is_option => RequestFields::option(name),
                Some(value) if !value.is_null() => format!("{name} in the file"),
                _ => return None,
            };
            Some(RequestPart::new(label, |one| one.has_field(name)))
        });
        let route = self
            .has_route
            .then(|| RequestPart::new("--route".to_owned(), |one| one.mode == Mode::Reference));
        let parts = fields.chain(route);
        parts
            .filter(|part| part.types.len() < RequestType::ALL.len())
            .collect()
    }
}

impl RequestPart {
    fn new(name: String, has_part: impl Fn(&RequestType) -> bool) -> Self {
        Self {
            name,
            types: RequestType::ALL
                .iter()
                .filter(|one| has_part(one))
                .collect(),
        }
    }

    fn sources(&self) -> String {
        let sources: Vec<_> = self.types.iter().map(|one| one.source).collect();
        sources.join(" or ")
    }
}

/// Returns the failure for parts without a common mode. It names the first two such parts, or else all.
fn conflict(parts: &[RequestPart]) -> Failure {
    let pairs = parts
        .iter()
        .enumerate()
        .flat_map(|(index, one)| parts[index + 1..].iter().map(move |other| [one, other]));
    let is_conflict = |[one, other]: &[&RequestPart; 2]| {
        let mut modes = one.types.iter().map(|one| one.mode);
        !modes.any(|mode| other.types.iter().any(|other| other.mode == mode))
    };
    let pair = pairs.into_iter().find(is_conflict);
    let conflicting = pair.map_or_else(|| parts.iter().collect(), Vec::from);
    let conflicting: Vec<_> = conflicting
        .into_iter()
        .map(|part| format!("{} (from {})", part.name, part.sources()))
        .collect();
    Failure::usage(format!("no mode has both {}", conflicting.join(" and ")))
        .with_help("make separate videos, or remove one of them")
}
