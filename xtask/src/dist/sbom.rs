//! The software bill of materials, as CycloneDX 1.5 (<https://cyclonedx.org/docs/1.5/json/>).

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use humantime::format_rfc3339_seconds;
use serde_json::{Value, json};

use super::Component;

/// Lists the components of the program named `main`. The document has no serial number and the given time, in seconds since
/// 1970: it depends on nothing else.
///
/// # Errors
///
/// `main` is not among the components.
pub fn sbom(components: &[Component], main: &str, time: u64) -> Result<Vec<u8>> {
    let program = components.iter().find(|component| component.name == main);
    let program = program.with_context(|| format!("{main} is not among the components"))?;
    let others = components.iter().filter(|component| component.name != main);
    let graph = components.iter().map(|component| {
        let dependencies = component.dependencies.iter();
        json!({
            "ref": purl(&component.name, &component.version),
            "dependsOn": dependencies.map(|(name, version)| purl(name, version)).collect::<Vec<_>>(),
        })
    });
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(time)).to_string(),
            "component": described("application", program),
        },
        "components": others.map(|component| described("library", component)).collect::<Vec<_>>(),
        "dependencies": graph.collect::<Vec<_>>(),
    });
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    Ok(text)
}

fn described(kind: &str, component: &Component) -> Value {
    let purl = purl(&component.name, &component.version);
    let mut described = json!({
        "type": kind,
        "bom-ref": purl,
        "name": component.name,
        "version": component.version,
        "purl": purl,
    });
    if let Some(licence) = &component.licence {
        described["licenses"] = json!([{ "expression": licence }]);
    }
    if let Some(repository) = &component.repository {
        described["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    described
}

/// The package URL of a crate (<https://github.com/package-url/purl-spec>). A `+` of a version has to be escaped.
fn purl(name: &str, version: &str) -> String {
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}
