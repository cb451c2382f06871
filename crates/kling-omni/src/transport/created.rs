use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::state::is_task_id;

const DATA: &str = "data";
const TASK_ID: &str = "task_id";

/// The id of the task that an answer names, with or without its wrapper. The answer may end anywhere behind the id: that
/// it was read at all says that there is a task, and that it was paid for.
pub(super) fn task_id(answer: &[u8]) -> Option<String> {
    let mut found = None;
    let task = Task {
        found: &mut found,
        is_wrapped: false,
    };
    // What goes wrong behind the id takes nothing away from it.
    let _ = task.deserialize(&mut serde_json::Deserializer::from_slice(answer));
    found.filter(|id| is_task_id(id))
}

/// An object that may have an id, or another such object as its data.
struct Task<'a> {
    found: &'a mut Option<String>,
    is_wrapped: bool,
}

impl<'de> DeserializeSeed<'de> for Task<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Task<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a task")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<(), M::Error> {
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                DATA if !self.is_wrapped => fields.next_value_seed(Task {
                    found: self.found,
                    is_wrapped: true,
                })?,
                TASK_ID => match fields.next_value()? {
                    Value::String(id) => *self.found = Some(id),
                    _ => return Err(M::Error::custom("an id that is no text")),
                },
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_from_whatever_came_with_it() {
        for (answer, expected) in [
            (
                r#"{"data":{"task_id":"a-1","status":"CREATED"}}"#,
                Some("a-1"),
            ),
            (r#"{"task_id":"a"}"#, Some("a")),
            (
                r#"{"data":{"status":7,"x":[{"task_id":"b"}],"task_id":"a"}}"#,
                Some("a"),
            ),
            (r#"{"data":{"task_id":"a","sta"#, Some("a")),
            (r#"{"data":{"task_id":"a""#, Some("a")),
            (r#"{"data":{"task_id":"a"#, None),
            (r#"{"data":{"task_id":"a"}} and more"#, Some("a")),
            (r#"{"data":{"task_id":"../a"}}"#, None),
            (r#"{"data":{"task_id":7}}"#, None),
            (r#"{"data":{"data":{"task_id":"a"}}}"#, None),
            (r#"{"data":[{"task_id":"a"}]}"#, None),
            (r#"{"message":"task_id"}"#, None),
            (r#"["task_id","a"]"#, None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(task_id(answer.as_bytes()).as_deref(), expected, "{answer}");
        }
    }
}
