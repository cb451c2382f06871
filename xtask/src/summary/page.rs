//! The page as Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Summary;
use super::coverage::Narrowed;
use super::help::Help;
use super::limits::Limit;
use super::renames::Rename;
use super::rust::{Item, Surface};
use crate::check::ACCEPT;
use crate::codegen::SPEC;
use crate::tracked::{FileDiff, FileStatus, Kind};
use openapi_diff::render::{self, Counts, Side, Sides, escape};

/// Rows and lines that are shown at once; more are folded away.
const SHOWN: usize = 12;

/// Names that a list has before it says how many more there are.
const NAMES: usize = 4;

/// The page.
pub fn page(summary: &Summary) -> String {
    let mut page = String::new();
    if summary.is_stale {
        let _ = writeln!(
            page,
            "> The spec is newer than the files that follow from it. Run `{ACCEPT}` first.\n"
        );
    }
    let is_unchanged = summary.findings.is_empty() && summary.files.is_empty();
    if is_unchanged {
        let _ = writeln!(
            page,
            "Nothing that follows from the spec changed since `{}`.",
            summary.base
        );
        return page;
    }
    let _ = writeln!(page, "{}", head(summary));
    let first = read_first(summary);
    if !first.is_empty() {
        let _ = writeln!(page, "\n## Read first\n\n{}", first.trim_end());
    }
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
        let _ = writeln!(page, "\n## Limits\n\n{}", limits(&summary.limits));
    }
    if !summary.help.is_empty() {
        let _ = writeln!(page, "\n## Help of the program\n\n{}", help(&summary.help));
    }
    if !summary.surface.is_empty() {
        let _ = writeln!(page, "\n## Rust surface");
        for surface in &summary.surface {
            let _ = write!(page, "\n{}", rust(surface));
        }
    }
    if !summary.files.is_empty() {
        let _ = writeln!(
            page,
            "\n## Files\n\n{}",
            files(&summary.files, summary.blob.as_deref().unwrap_or_default()).trim_end()
        );
    }
    page
}

/// What is easily missed in the rest of the page, and what is left to do.
fn read_first(summary: &Summary) -> String {
    let mut lines = Vec::new();
    for Rename { place, was, is } in &summary.renames {
        lines.push(format!(
            "{}: {} is likely renamed to {}",
            escape(place),
            escape(was),
            escape(is)
        ));
    }
    for surface in &summary.surface {
        for lost in surface.lost_traits() {
            lines.push(format!(
                "`{}` lost a trait, which breaks its users: {}",
                surface.package,
                escape(lost)
            ));
        }
    }
    for Narrowed { path, was, is } in &summary.narrowed {
        let blob = summary.blob.as_deref().unwrap_or_default();
        lines.push(match is {
            Some(is) => format!(
                "{} covers less: it has {is} lines, and had {was}",
                link(path, blob)
            ),
            None => format!("{} is gone", escape(path)),
        });
    }
    let (new, old): (Vec<_>, Vec<_>) = summary.open.iter().partition(|open| open.is_new);
    for open in new {
        lines.push(format!(
            "not offered by `kling-omni` yet: {}",
            escape(&open.what)
        ));
    }
    if !old.is_empty() {
        let old: Vec<_> = old.iter().map(|open| escape(&open.what)).collect();
        lines.push(format!("not offered since before: {}", some(&old)));
    }
    let folded_lines = lines.len().saturating_sub(SHOWN);
    let list =
        |lines: &[String]| -> String { lines.iter().map(|line| format!("* {line}\n")).collect() };
    let (shown, rest) = lines.split_at(lines.len() - folded_lines);
    let mut text = list(shown);
    if !rest.is_empty() {
        let _ = write!(
            text,
            "\n{}",
            folded(&format!("{folded_lines} more"), &list(rest))
        );
    }
    text
}

/// The first few, and how many more there are.
fn some(names: &[String]) -> String {
    let mut text = names[..names.len().min(NAMES)].join(", ");
    if names.len() > NAMES {
        let _ = write!(text, " and {} more", names.len() - NAMES);
    }
    text
}

fn help(helps: &[Help]) -> String {
    let mut lines = Vec::new();
    for help in helps {
        lines.push(format!("  kling-omni {}", help.command));
        lines.extend(help.lines.iter().cloned());
    }
    let block = format!("```diff\n{}\n```", lines.join("\n"));
    match lines.len() > SHOWN {
        true => folded(&format!("{} lines", lines.len()), &block),
        false => block,
    }
}

/// The page in one line.
fn head(summary: &Summary) -> String {
    let mut parts = vec![format!(
        "Since `{}`: {}",
        summary.base,
        Counts::of(&summary.findings).tell()
    )];
    let lines: usize = summary
        .files
        .iter()
        .filter(|diff| diff.kind != Kind::Generated)
        .map(|diff| diff.added + diff.removed)
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
    for item in &surface.items {
        match item {
            Item::Added(line) => lines.push(format!("+ {line}")),
            Item::Removed(line) => lines.push(format!("- {line}")),
            Item::Changed { was, is } => lines.extend([format!("- {was}"), format!("+ {is}")]),
        }
    }
    let text = format!(
        "`{}`: {added} added, {removed} removed, {changed} changed\n",
        surface.package
    );
    let block = format!("```diff\n{}\n```\n", lines.join("\n"));
    match lines.len() > SHOWN {
        true => text + "\n" + &folded("the lines", &block) + "\n",
        false => text + "\n" + &block,
    }
}

/// A line for each kind of file.
fn files(diffs: &[FileDiff], blob: &str) -> String {
    let mut kinds = BTreeMap::<&Kind, Vec<&FileDiff>>::new();
    for one in diffs {
        kinds.entry(&one.kind).or_default().push(one);
    }
    let mut text = String::new();
    for (kind, diffs) in kinds {
        let sum = |of: fn(&FileDiff) -> usize| diffs.iter().map(|one| of(one)).sum::<usize>();
        let _ = write!(
            text,
            "* {kind}: +{} −{}",
            sum(|one| one.added),
            sum(|one| one.removed)
        );
        if *kind == Kind::Generated {
            let _ = writeln!(text, " in {} files", diffs.len());
            continue;
        }
        let names: Vec<_> = diffs
            .iter()
            .map(|one| {
                let link = link(&one.path, blob);
                match one.status {
                    FileStatus::Changed => link,
                    status => format!("{link} ({})", status.as_str()),
                }
            })
            .collect();
        let _ = writeln!(text, " in {}", some(&names));
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
