//! A last look at the output.

use anyhow::{Result, ensure};
use heck::ToSnakeCase as _;

use super::Files;
use super::prepare::Prepared;
use super::spec::Spec;

/// What must never appear: each would bring back a fault that preparation is there to prevent.
const FORBIDDEN: [&str; 2] = ["ErrorResponse", "deny_unknown_fields"];

/// Checks on the output itself that the ways around the generator's faults were taken.
///
/// The generator says nothing about a setting whose name it does not meet, so only the output can tell.
pub fn verify(
    spec: &Spec,
    prepared: &Prepared,
    replacements: &[String],
    files: &Files,
) -> Result<()> {
    let generated = || {
        let parts = ["client.rs", "operations/", "types/"];
        let part = move |path: &str| parts.iter().any(|part| path.starts_with(part));
        files.iter().filter(move |(path, _)| part(path))
    };
    for (path, text) in generated() {
        for word in FORBIDDEN {
            ensure!(!text.contains(word), "{path} has `{word}`");
        }
    }
    for name in replacements {
        let used = format!("crate::enums::{name}");
        ensure!(
            generated().any(|(_, text)| text.contains(&used)),
            "`{used}` took the place of no type"
        );
    }
    let client = files.get("client.rs").map_or("", String::as_str);
    for operation in spec.operations() {
        let name = operation.id().unwrap_or_default().to_snake_case();
        let method = format!("pub fn {name}(");
        ensure!(
            client.contains(&method),
            "the client has no method `{name}`"
        );
        let path = format!("operations/{name}.rs");
        let told = format!("operation_id: \"{name}\"");
        ensure!(
            files.get(&path).is_some_and(|text| text.contains(&told)),
            "{path} does not tell the transport `{name}`"
        );
        let success = "200..=299 =>";
        ensure!(
            files.get(&path).is_some_and(|text| text.contains(success)),
            "{path} takes one success status alone"
        );
    }
    for (schema, _) in &prepared.tolerant {
        let path = format!("types/{}.rs", schema.to_snake_case());
        ensure!(
            files
                .get(&path)
                .is_some_and(|text| text.contains("tolerant::list")),
            "{path} refuses null for a list"
        );
    }
    Ok(())
}
