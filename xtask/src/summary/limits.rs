//! The limits that changed, from the tables that snapshots hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::tracked::TrackedFiles;

/// The folder of the tables.
const TABLES: &str = "tests/snapshots/constraints/";

/// One rule that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The schema or the operation, and the field.
    pub field: String,
    /// The rule.
    pub rule: String,
    /// What it was; `None` where there was none.
    pub was: Option<String>,
    /// The value; `None` if it was removed.
    pub is: Option<String>,
}

/// Rules by field and name.
type Rules = BTreeMap<(String, String), String>;

/// The rules that changed, by field.
pub fn diff(then: &TrackedFiles, now: &TrackedFiles) -> Vec<Limit> {
    let (then, now) = (rules(then), rules(now));
    let keys: BTreeSet<_> = then.keys().chain(now.keys()).collect();
    keys.into_iter()
        .filter(|key| then.get(*key) != now.get(*key))
        .map(|key| Limit {
            field: key.0.clone(),
            rule: key.1.clone(),
            was: then.get(key).cloned(),
            is: now.get(key).cloned(),
        })
        .collect()
}

fn rules(files: &TrackedFiles) -> Rules {
    let mut rules = Rules::new();
    for (path, text) in files {
        let Some(owner) = path
            .strip_prefix(TABLES)
            .and_then(|name| name.strip_suffix(".snap"))
        else {
            continue;
        };
        let owner = owner
            .trim_start_matches("op.")
            .trim_start_matches("response.");
        for line in text.lines() {
            let mut parts = line.split("  ");
            let place = parts.next().unwrap_or_default();
            let field = match place.strip_prefix('.') {
                Some("") => continue,
                Some(_) => format!("{owner}{place}"),
                None => format!("{owner} {place}"),
            };
            let mut media = "";
            for part in parts {
                match part.split_once('=') {
                    Some((rule, value)) => {
                        rules.insert((field.clone(), format!("{media}{rule}")), value.to_owned());
                    }
                    None if part == "media" => media = "media.",
                    None if part == "required" => {
                        rules.insert((field.clone(), part.to_owned()), "yes".to_owned());
                    }
                    None => {}
                }
            }
        }
    }
    rules
}
