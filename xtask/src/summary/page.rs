//! The page as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Summary;
use super::limits::Limit;
use super::rust::{Item, Surface};
use crate::codegen::SPEC;
use crate::drift::ACCEPT;
use crate::held::{Change, Kind, Moved};
use openapi_diff::render::{self, Counts, Side, Sides, escape};

/// Rows and lines that are shown at once; more are folded away.
const SHOWN: usize = 12;

/// The page.
pub fn page(summary: &Summary) -> String {
    let mut page = String::new();
    if summary.is_stale {
        let _ = writeln!(
            page,
            "> The spec is newer than what is held here. Run `{ACCEPT}` first.\n"
        );
    }
    let is_still = summary.findings.is_empty() && summary.moved.is_empty();
    if is_still {
        let _ = writeln!(
            page,
            "Nothing that follows from the spec has moved since `{}`.",
            summary.base
        );
        return page;
    }
    let _ = writeln!(page, "{}", head(summary));
    if !summary.findings.is_empty() {
        let sides = Sides {
            base: Side::named(&summary.base),
            head: Side::named(SPEC),
        };
        let _ = writeln!(
            page,
            "\n## Spec\n\n{}",
            render::markdown(&sides, &summary.findings).trim_end()
        );
    }
    if !summary.limits.is_empty() {
        let _ = writeln!(
            page,
            "\n## Limits that moved\n\n{}",
            limits(&summary.limits)
        );
    }
    if !summary.surface.is_empty() {
        let _ = writeln!(page, "\n## Rust surface");
        for surface in &summary.surface {
            let _ = write!(page, "\n{}", rust(surface));
        }
    }
    if !summary.open.is_empty() {
        let _ = writeln!(page, "\n## What `kling-omni` does not offer yet\n");
        let (new, old): (Vec<_>, Vec<_>) = summary.open.iter().partition(|open| open.is_new);
        for open in new {
            let _ = writeln!(page, "* {}: new", escape(&open.what));
        }
        if !old.is_empty() {
            let old: String = old
                .iter()
                .map(|open| format!("* {}\n", escape(&open.what)))
                .collect();
            let _ = writeln!(page, "\n{}", folded("since before", &old));
        }
    }
    if !summary.moved.is_empty() {
        let _ = writeln!(
            page,
            "\n## Files that moved\n\n{}",
            files(&summary.moved, summary.blob.as_deref().unwrap_or_default()).trim_end()
        );
    }
    page
}

/// The page in one line.
fn head(summary: &Summary) -> String {
    let mut parts = vec![format!(
        "Since `{}`: {}",
        summary.base,
        Counts::of(&summary.findings).tell()
    )];
    let lines: usize = summary
        .moved
        .iter()
        .filter(|moved| moved.kind != Kind::Generated)
        .map(|moved| moved.added + moved.removed)
        .sum();
    parts.push(format!("{lines} lines to read beside the spec"));
    parts.push(match &summary.bump {
        None => "no new version".to_owned(),
        Some(bump) => format!(
            "**{}** bump to {}, for {}",
            bump.part.as_str(),
            bump.version,
            escape(&bump.reason)
        ),
    });
    let open = summary.open.iter().filter(|open| open.is_new).count();
    if open > 0 {
        parts.push(format!("{open} to give a home in `kling-omni`"));
    }
    format!("{}.", parts.join("; "))
}

fn limits(limits: &[Limit]) -> String {
    let row = |limit: &Limit| {
        let side = |side: &Option<String>| side.as_deref().map_or_else(|| "–".to_owned(), escape);
        format!(
            "| {} | {} | {} | {} |\n",
            escape(&limit.field),
            escape(&limit.rule),
            side(&limit.was),
            side(&limit.is)
        )
    };
    let table = |limits: &[Limit]| {
        let rows: String = limits.iter().map(row).collect();
        format!("| field | rule | was | is |\n| --- | --- | --- | --- |\n{rows}")
    };
    let (shown, rest) = limits.split_at(limits.len().min(SHOWN));
    let mut text = table(shown);
    if !rest.is_empty() {
        let _ = write!(
            text,
            "\n{}",
            folded(&format!("{} more", rest.len()), &table(rest))
        );
    }
    text.trim_end().to_owned()
}

fn rust(surface: &Surface) -> String {
    let (added, removed, changed) = surface.counts();
    let mut lines = Vec::new();
    for (name, items) in &surface.parts {
        if !name.is_empty() {
            lines.push(format!("# {name}"));
        }
        for item in items {
            match item {
                Item::Added(line) => lines.push(format!("+ {line}")),
                Item::Removed(line) => lines.push(format!("- {line}")),
                Item::Changed { was, is } => lines.extend([format!("- {was}"), format!("+ {is}")]),
            }
        }
    }
    let mut text = format!(
        "`{}`: {added} added, {removed} removed, {changed} changed",
        surface.package
    );
    if !surface.inner.is_empty() {
        let _ = write!(
            text,
            "; only bodies or docs: {}",
            escape(&surface.inner.join(", "))
        );
    }
    text.push('\n');
    if lines.is_empty() {
        return text;
    }
    let block = format!("```diff\n{}\n```\n", lines.join("\n"));
    match lines.len() > SHOWN {
        true => text + "\n" + &folded("the lines", &block) + "\n",
        false => text + "\n" + &block,
    }
}

fn files(moved: &[Moved], blob: &str) -> String {
    let mut kinds = BTreeMap::<&Kind, Vec<&Moved>>::new();
    for one in moved {
        kinds.entry(&one.kind).or_default().push(one);
    }
    let mut text = String::from(
        "| kind | added | changed | removed | lines |\n| --- | --- | --- | --- | --- |\n",
    );
    let mut names = String::new();
    for (kind, moved) in kinds {
        let count = |change| moved.iter().filter(|one| one.file == change).count();
        let sum = |of: fn(&Moved) -> usize| moved.iter().map(|one| of(one)).sum::<usize>();
        let _ = writeln!(
            text,
            "| {kind} | {} | {} | {} | +{} −{} |",
            count(Change::Added),
            count(Change::Changed),
            count(Change::Removed),
            sum(|one| one.added),
            sum(|one| one.removed)
        );
        if *kind != Kind::Generated {
            for one in moved {
                let _ = writeln!(
                    names,
                    "* {}: +{} −{}",
                    link(&one.path, blob),
                    one.added,
                    one.removed
                );
            }
        }
    }
    if !names.is_empty() {
        let _ = write!(text, "\n{}", folded("the files", &names));
    }
    text
}

/// A link to a file.
fn link(path: &str, blob: &str) -> String {
    let shown = path.rsplit('/').next().unwrap_or(path);
    format!("[{}]({blob}{path})", escape(shown))
}

fn folded(title: &str, text: &str) -> String {
    format!(
        "<details><summary>{title}</summary>\n\n{}\n\n</details>",
        text.trim_end()
    )
}
