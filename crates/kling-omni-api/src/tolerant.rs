//! Deserialisation that accepts more than the document declares.

use serde::{Deserialize, Deserializer};

/// Deserialises a list, for which the service may send null instead of an empty one.
pub(crate) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
