//! JSON Schemas of the ergonomic types, as editors and the command line get them.

use kling_omni::download::{Saved, Sidecar};
use kling_omni::polling::{TaskState, TaskSummary};
use kling_omni::request::RequestType;
use kling_omni::validation::Finding;
use kling_omni_tests::snapshots::Kind;
use schemars::schema_for;
use serde_json::Value;

/// What fits into so many columns stays on one line.
const WIDTH: usize = 110;

#[test]
fn schemas() {
    let schemas = [
        ("Finding", schema_for!(Finding)),
        ("Saved", schema_for!(Saved)),
        ("Sidecar", schema_for!(Sidecar)),
        ("TaskState", schema_for!(TaskState)),
        ("TaskSummary", schema_for!(TaskSummary)),
    ];
    let requests = RequestType::ALL.iter();
    let requests = requests.map(|request| (request.name, (request.schema)()));
    let mut snapshots = Kind::Schema.all();
    for (name, schema) in schemas.into_iter().chain(requests) {
        let mut schema = schema.to_value();
        schema.sort_all_objects();
        snapshots.check(name, &pretty(&schema, 0));
    }
    snapshots.finish();
}

/// JSON in few, readable lines: a snapshot is short, and a change of one field is one line of it.
fn pretty(value: &Value, indent: usize) -> String {
    let line = on_one_line(value);
    if indent + line.chars().count() <= WIDTH {
        return line;
    }
    let inner = indent + 2;
    let (open, members, close) = match value {
        Value::Array(items) => {
            let items = items.iter().map(|item| pretty(item, inner));
            ('[', items.collect::<Vec<_>>(), ']')
        }
        Value::Object(members) => {
            let members = members.iter().map(|(key, value)| {
                format!("{}: {}", Value::from(key.as_str()), pretty(value, inner))
            });
            ('{', members.collect(), '}')
        }
        _ => return line,
    };
    let separator = format!(",\n{:inner$}", "");
    let members = members.join(&separator);
    format!("{open}\n{:inner$}{members}\n{:indent$}{close}", "", "")
}

fn on_one_line(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(on_one_line).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(key, value)| {
                    format!("{}: {}", Value::from(key.as_str()), on_one_line(value))
                })
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        value => value.to_string(),
    }
}
