//! The fields of a row, and the values of the cells of a CSV file.

use kling_omni::request::{FieldKind, RequestField, RequestType, parse_json};
use kling_omni::{Mode, Tier};
use serde_json::Value;

/// The fields of a row that only one row can have.
pub(super) const ROW_ONLY: [&str; 2] = ["id", "output"];
/// The fields of a row that are not fields of its request.
const EXTRA: [&str; 4] = ["id", "output", "mode", "tier"];

/// Suggestions have at least this similarity, from 0 to 1.
const MIN_SIMILARITY: f64 = 0.8;

fn fields() -> impl Iterator<Item = &'static RequestField> {
    RequestType::ALL.iter().flat_map(|one| one.table)
}

/// Whether rows have a field of this name.
pub(super) fn is_field(name: &str) -> bool {
    EXTRA.contains(&name) || fields().any(|field| field.name == name)
}

/// The message for an unknown field, with the most similar one.
pub(super) fn unknown_field(name: &str) -> String {
    if ROW_ONLY.contains(&name) {
        return "is different in each row, so it cannot have a default".to_owned();
    }
    let names = EXTRA.into_iter().chain(fields().map(|field| field.name));
    let similar = names.map(|known| {
        let similarity = strsim::jaro_winkler(&name.to_lowercase(), known);
        (known, similarity)
    });
    let similar = similar.filter(|(_, similarity)| *similarity >= MIN_SIMILARITY);
    match similar.max_by(|one, other| one.1.total_cmp(&other.1)) {
        Some((known, _)) => format!("is not a field, did you mean {known}?"),
        None => "is not a field of any request".to_owned(),
    }
}

/// Parses a mode or a tier.
pub(super) fn mode(text: &str) -> Result<Mode, String> {
    text.parse().map_err(|error| format!("{error}"))
}

pub(super) fn tier(text: &str) -> Result<Tier, String> {
    text.parse().map_err(|error| format!("{error}"))
}

/// Returns the value of a cell as in a JSON row.
pub(super) fn value(name: &str, text: &str) -> Result<Value, String> {
    let field = fields().find(|field| field.name == name);
    let (kind, is_list) = match field {
        Some(field) => (field.kind, field.is_list),
        None => (FieldKind::Text, false),
    };
    let json = |text: &str| {
        parse_json(text)
            .map_err(|error| format!("is not JSON: {} at column {}", error.problem, error.column))
    };
    match kind {
        _ if is_list => json(text),
        FieldKind::Element | FieldKind::Number | FieldKind::Integer => json(text.trim()),
        // Spreadsheets write TRUE.
        FieldKind::Flag => json(&text.trim().to_lowercase()),
        FieldKind::Seconds | FieldKind::Choice(_) => Ok(text.trim().into()),
        FieldKind::Text | FieldKind::Media => Ok(text.into()),
    }
}
