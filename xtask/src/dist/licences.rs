//! The licences of the packages in the program, with their texts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, bail};

use super::Component;

/// How the names of files begin that have licences, notices and copyrights.
const NAMES: [&str; 6] = [
    "COPYING",
    "COPYRIGHT",
    "LICENCE",
    "LICENSE",
    "NOTICE",
    "UNLICENSE",
];

/// Lists the third-party components with their licences, and each text once with the components that it is of.
///
/// # Errors
///
/// A component names no licence and has no text of one, or a file cannot be read.
pub fn third_party_licences(components: &[Component]) -> Result<String> {
    let mut page = String::from(
        "The program contains the packages below, each under its own licence. The texts in the packages follow.\n\n",
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for component in components
        .iter()
        .filter(|component| component.is_third_party)
    {
        let name = format!("{} {}", component.name, component.version);
        let own = texts_of(component)?;
        // Some manifests name none, and the package has its text.
        let licence = match &component.licence {
            Some(licence) => licence,
            None if !own.is_empty() => "see its text",
            None => bail!("{name} names no licence and has no text of one"),
        };
        let source = component
            .repository
            .as_deref()
            .unwrap_or("https://crates.io");
        let note = if own.is_empty() {
            ", which its package has no text of"
        } else {
            ""
        };
        writeln!(page, "{name}: {licence}{note} ({source})")?;
        for text in own {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut texts: Vec<_> = texts.into_iter().collect();
    texts.sort_by(|(_, one), (_, other)| one.cmp(other));
    for (text, of) in texts {
        write!(page, "\n{}\n{}\n\n{text}\n", "=".repeat(80), of.join(", "))?;
    }
    Ok(page)
}

fn texts_of(component: &Component) -> Result<Vec<String>> {
    let folder = &component.folder;
    let mut files = Vec::new();
    for file in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let file = file?;
        let name = file.file_name().to_string_lossy().to_uppercase();
        if file.file_type()?.is_file() && NAMES.iter().any(|begin| name.starts_with(begin)) {
            files.push(file.path());
        }
    }
    files.sort();
    let texts = files.into_iter().map(|file| {
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let text = String::from_utf8_lossy(&text).replace("\r\n", "\n");
        Ok(text.trim().to_owned())
    });
    texts.collect()
}
