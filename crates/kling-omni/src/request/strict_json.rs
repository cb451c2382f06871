//! Parses strict JSON, without duplicate keys.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess,
    Visitor,
};
use serde_json::error::Category;

/// Why a text is not valid JSON, or not JSON of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonError {
    /// What is wrong. It does not quote values, which may be secret.
    pub problem: String,
    /// The line, from 1; 0 if the position is unknown.
    pub line: usize,
    /// The column in characters, from 1; 0 if the position is unknown.
    pub column: usize,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        match self.line {
            0 => Ok(()),
            line => write!(f, " at line {line} column {}", self.column),
        }
    }
}

impl std::error::Error for JsonError {}

/// Parses a text as strict JSON, without duplicate keys.
///
/// # Errors
///
/// [`JsonError`] with the position as an editor counts it.
pub fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, JsonError> {
    parse_json_as(text, std::marker::PhantomData)
}

/// Like [`parse_json`], for a seed.
///
/// # Errors
///
/// [`JsonError`] with the position as an editor counts it.
pub fn parse_json_as<'a, S: DeserializeSeed<'a>>(
    text: &'a str,
    seed: S,
) -> Result<S::Value, JsonError> {
    serde_json::from_str::<UniqueKeys>(text).map_err(|error| json_error(&error, text))?;
    let mut json = serde_json::Deserializer::from_str(text);
    seed.deserialize(&mut json)
        .map_err(|error| json_error(&error, text))
}

/// Removes the value that serde quotes in the message about a string of the wrong type.
pub fn unquoted(message: &str) -> Cow<'_, str> {
    let unquoted = message.split_once("string \"").and_then(|(before, rest)| {
        let (_, after) = rest.rsplit_once("\", expected")?;
        Some(format!("{before}string, expected{after}"))
    });
    unquoted.map_or(message.into(), Cow::Owned)
}

/// Converts the error. serde counts the column in bytes, and puts a newline at the start of the next line.
fn json_error(error: &serde_json::Error, json: &str) -> JsonError {
    let (line, column) = (error.line(), error.column());
    let message = error.to_string();
    let position = format!(" at line {line} column {column}");
    let problem = message.strip_suffix(&position).unwrap_or(&message);
    let problem = match error.classify() {
        Category::Data => unquoted(problem).into_owned(),
        _ => problem.to_owned(),
    };
    let characters = |line: usize, bytes: usize| {
        let text = json.split('\n').nth(line - 1).unwrap_or_default();
        text.char_indices()
            .take_while(|(at, _)| *at < bytes)
            .count()
    };
    let (line, column) = match column {
        // Without a position.
        _ if line == 0 => (0, 0),
        0 if line > 1 && !error.is_eof() => (line - 1, characters(line - 1, usize::MAX) + 1),
        _ => (line, characters(line, column).max(1)),
    };
    JsonError {
        problem,
        line,
        column,
    }
}

/// Accepts any JSON without duplicate keys, and discards it.
struct UniqueKeys;

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> DeserializeSeed<'de> for UniqueKeys {
    type Value = Self;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format_args!("duplicate key {key:?}")));
            }
            keys.insert(key);
            entries.next_value::<Self>()?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Replaces each character of a text by a control character, which is invalid anywhere in JSON.
    #[test]
    fn parse_errors_have_line_and_column() {
        let text = "{\n  \"für\": \"🎬 a movie\",\n  \"b\": [1, true, null]\n}";
        for (index, replaced) in text.char_indices() {
            let after = &text[index + replaced.len_utf8()..];
            let broken = format!("{}\u{1}{after}", &text[..index]);
            let before: Vec<_> = text[..index].split('\n').collect();
            let column = before[before.len() - 1].chars().count() + 1;
            let position = format!(" at line {} column {column}", before.len());
            let error = parse_json::<Value>(&broken).unwrap_err().to_string();
            assert!(error.ends_with(&position), "{broken:?}: {error}");
        }
    }

    #[test]
    fn parse_rejects_lenient_json() {
        for (text, problem) in [
            ("{\"a\": \"one\ntwo\"}", "at line 1 column 11"),
            ("{\"a\": 1,}", "trailing comma at line 1 column 9"),
            ("[1,]", "trailing comma at line 1 column 4"),
            ("{\"a\": NaN}", "at line 1 column 7"),
            ("{\"a\": Infinity}", "at line 1 column 7"),
            ("{\"a\": 1e999}", "at line 1"),
            ("{a: 1}", "key must be a string at line 1 column 2"),
            ("{'a': 1}", "at line 1 column 2"),
            ("{} {}", "trailing characters at line 1 column 4"),
            ("{\"a\": 1 // one\n}", "at line 1 column 9"),
            (
                "{\"a\": 1, \"\\u0061\": 2}",
                "duplicate key \"a\" at line 1",
            ),
            (
                "[{\"a\": {\"b\": 1,\n \"b\": 2}}]",
                "duplicate key \"b\" at line 2",
            ),
            ("{\"a\": ", "at line 1 column 6"),
            ("{\n", "at line 2 column 1"),
            ("", "at line 1 column 1"),
        ] {
            let error = parse_json::<Value>(text).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
        }
        let error = parse_json::<u32>("\"needle\"").unwrap_err().to_string();
        assert!(!error.contains("needle"), "{error}");
        let text = "{\"a\": [1, 0.5, \"\\ud83d\\ude00\", null, true]}";
        assert!(parse_json::<Value>(text).is_ok());
    }
}
