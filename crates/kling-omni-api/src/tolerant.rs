//! Deserialization that accepts more than the document promises.

use serde::{Deserialize, Deserializer};

/// Reads a list of which the service may send null for "nothing".
pub(crate) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
