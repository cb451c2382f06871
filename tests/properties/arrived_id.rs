//! The ids of tasks in the answer to a create.

use std::collections::BTreeSet;

use kling_omni::fuzzing::named_tasks;
use serde_json::Value;

const LARGEST: usize = 64 * 1024;

/// The body of an answer. What is taken for its JSON is JSON, every id in that is found, and what is kept is bounded;
/// and what proxies put before a body changes nothing.
pub fn arrived_id(data: &[u8]) {
    let (json, ids) = named_tasks(data, LARGEST);
    assert!(ids.len() <= 20);
    assert!(ids.iter().all(|id| (1..=1024).contains(&id.len())));
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
    let Some(json) = json else { return };
    assert!(json.len() <= data.len().max(LARGEST));
    let value: serde_json::Result<Value> = serde_json::from_slice(&json);
    // Unread values need not be text, and numbers may be too large.
    let Ok(value) = value else { return };
    let mut expected = Vec::new();
    collect(&value, &mut expected);
    let expected: BTreeSet<_> = expected
        .iter()
        .filter(|id| (1..=1024).contains(&id.len()))
        .collect();
    if expected.len() <= 20 && ids.len() < 20 {
        assert!(expected.is_subset(&different), "{expected:?} in {ids:?}");
    }
    for before in [&b"\xef\xbb\xbf"[..], b")]}',\n", b"for(;;);"] {
        if !matches!(json.first(), Some(b'{' | b'[')) {
            continue;
        }
        let (again, same) = named_tasks(&[before, &json].concat(), LARGEST);
        // Blanks behind the JSON may stay.
        let again = again.as_deref().map(<[u8]>::trim_ascii);
        assert_eq!(again, Some(json.trim_ascii()));
        assert_eq!(same, ids);
    }
}

/// The ids as the values of JSON have them.
fn collect(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
            Value::String(id) if name == "task_id" => ids.push(id.clone()),
            value => collect(value, ids),
        }),
        Value::Array(values) => values.iter().for_each(|value| collect(value, ids)),
        _ => {}
    }
}
