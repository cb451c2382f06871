//! Rows of a folder: request files, or media files with a template.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use kling_omni::request::RequestType;
use kling_omni_api::{Field, MediaKind};
use serde_json::{Map, Value};

use super::finding::{ManifestError, RowFinding};
use super::options::ManifestOptions;
use super::request_text::{RequestTextError, parse_request_text};
use super::source::{RawRow, RawRows, open_text};

const REQUEST_FILES: [&str; 3] = ["json", "yaml", "yml"];
/// Stands for the media file in a template.
const FILE: &str = "{file}";
/// Stands for the name of the media file without extension.
const STEM: &str = "{stem}";

/// Returns the rows of a folder in the order of file names, and the files that are not rows.
pub(super) fn open(
    folder: &Path,
    options: &ManifestOptions,
) -> Result<(RawRows, Vec<PathBuf>), ManifestError> {
    let formats = match &options.template {
        Some(template) => template_formats(template),
        None => BTreeSet::from(REQUEST_FILES),
    };
    let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<Result<Vec<_>, _>>());
    let entries = entries.map_err(|error| ManifestError::unreadable(folder, error))?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let is_hidden = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default();
        name.as_encoded_bytes().starts_with(b".")
    };
    paths.retain(|path| !is_hidden(path));
    let (files, ignored): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        formats.contains(&*extension.to_lowercase()) && !path.is_dir()
    });
    let (template, max) = (options.template.clone(), options.limits.row_bytes);
    let rows = files
        .into_iter()
        .map(move |path| row(&path, template.as_ref(), max));
    Ok((RawRows(Box::new(rows)), ignored))
}

/// The extensions of the files that `{file}` can stand for.
pub(super) fn template_formats(template: &Map<String, Value>) -> BTreeSet<&'static str> {
    let uses = fields().filter_map(|field| Some((field, template.get(field.name)?)));
    let mut formats = BTreeSet::new();
    for (field, value) in uses {
        add_formats(field, value, &mut formats);
    }
    formats
}

fn fields() -> impl Iterator<Item = &'static Field> {
    let routes = RequestType::ALL.iter().flat_map(|one| one.limits);
    routes.copied().flatten()
}

fn image_formats() -> impl Iterator<Item = &'static str> {
    let images = fields().filter_map(|field| field.media);
    let images = images.filter(|media| media.kind == MediaKind::Image);
    images.flat_map(|media| media.formats.iter().copied())
}

fn add_formats(field: &Field, value: &Value, formats: &mut BTreeSet<&'static str>) {
    match value {
        Value::String(text) if text == FILE => {
            match field.media {
                Some(media) => formats.extend(media.formats),
                // The document has no rules for the images of an element.
                None if field.format == Some("uri") => formats.extend(image_formats()),
                None => {}
            }
        }
        Value::Array(items) => {
            if let Some(field) = field.items {
                items
                    .iter()
                    .for_each(|item| add_formats(field, item, formats));
            }
        }
        Value::Object(members) => {
            for field in field.fields {
                if let Some(member) = members.get(field.name) {
                    add_formats(field, member, formats);
                }
            }
        }
        _ => {}
    }
}

fn row(path: &Path, template: Option<&Map<String, Value>>, max: u64) -> RawRow {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return RawRow::broken(
            None,
            path,
            "not-utf-8",
            "has a name that is not valid UTF-8",
        );
    };
    // A pipe would block, and a broken link leads nowhere.
    if !path.is_file() {
        return RawRow::broken(None, path, "unreadable", "is not a regular file");
    }
    let fields = match template {
        Some(template) => {
            let stem = Path::new(name)
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy();
            Ok(fill(&Value::Object(template.clone()), name, &stem))
        }
        None => read(path, max),
    };
    let fields = fields.and_then(|value| match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(RowFinding::error(None, "invalid-json", "is not an object")),
    });
    let mut row = RawRow::new(None, path, fields.map_err(|finding| vec![finding]));
    row.default_id = Some(name.to_owned());
    row
}

/// Replaces `{file}` and `{stem}` in all texts.
fn fill(value: &Value, name: &str, stem: &str) -> Value {
    match value {
        Value::String(text) if text == FILE => name.into(),
        Value::String(text) => text.replace(STEM, stem).into(),
        Value::Array(items) => items.iter().map(|item| fill(item, name, stem)).collect(),
        Value::Object(members) => {
            let members = members.iter();
            let members = members.map(|(key, member)| (key.clone(), fill(member, name, stem)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// Reads a request file.
fn read(path: &Path, max: u64) -> Result<Value, RowFinding> {
    let unreadable = |problem: String| RowFinding::error(None, "unreadable", problem);
    let reader = open_text(path).map_err(|error| unreadable(error.to_string()))?;
    let mut bytes = Vec::new();
    let read = reader.take(max + 1).read_to_end(&mut bytes);
    read.map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > max {
        let message = format!("is longer than {max} bytes");
        return Err(RowFinding::error(None, "row-too-long", message));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| RowFinding::error(None, "not-utf-8", "is not valid UTF-8"))?;
    parse_request_text(&text, PhantomData).map_err(|error| {
        let (rule, format) = match error {
            RequestTextError::Json(_) => ("invalid-json", "JSON"),
            RequestTextError::Yaml(_) => ("invalid-yaml", "YAML"),
        };
        RowFinding::error(None, rule, format!("is not valid {format}: {error}"))
    })
}
