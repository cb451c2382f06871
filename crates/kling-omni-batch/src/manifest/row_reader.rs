//! Checks rows and makes requests of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use kling_omni::download::file_stem;
use kling_omni::request::{
    FieldValue, MediaSource, Request, RequestBuilder, RequestType, unquoted,
};
use kling_omni::spend::SpendGuard;
use kling_omni::validation::FindingCode;
use kling_omni::{Mode, Tier};
use serde::de::DeserializeSeed;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Row;
use super::cell;
use super::finding::{RowFinding, RowFindings};
use super::options::ManifestOptions;
use super::output::{self, Outputs};
use super::source::RawRow;
use crate::digest::hex;

/// The maximum length of an id, in bytes.
const MAX_ID: usize = 200;
/// The hexadecimal digits of an id that is the hash of its row: 64 bits: even 100,000 rows do not collide.
const HASH_DIGITS: usize = 16;

/// Makes requests of rows, and remembers their ids and outputs.
#[derive(Debug)]
pub(super) struct RowReader {
    /// Relative media paths begin here.
    folder: PathBuf,
    defaults: Map<String, Value>,
    pattern: String,
    denies_warnings: bool,
    guard: SpendGuard,
    /// The ids of the rows so far, and their numbers.
    ids: HashMap<String, u64>,
    outputs: Outputs,
}

/// The findings about a row while it is read.
#[derive(Default)]
struct Findings(Vec<RowFinding>);

impl Findings {
    fn add(&mut self, field: &str, rule: &'static str, message: impl Into<String>) {
        self.0.push(RowFinding::error(Some(field), rule, message));
    }

    /// Returns the value, or adds the problem.
    fn check<T>(
        &mut self,
        field: &str,
        rule: &'static str,
        result: Result<T, String>,
    ) -> Option<T> {
        result
            .map_err(|problem| self.add(field, rule, problem))
            .ok()
    }
}

impl RowReader {
    pub(super) fn new(folder: &Path, options: &ManifestOptions, pattern: &str) -> Self {
        Self {
            folder: folder.to_owned(),
            defaults: options.defaults.clone(),
            pattern: options.output.clone().unwrap_or_else(|| pattern.to_owned()),
            denies_warnings: options.denies_warnings,
            guard: options.guard.clone(),
            ids: HashMap::new(),
            outputs: Outputs::default(),
        }
    }

    /// Returns the row, or all its findings.
    pub(super) fn read(&mut self, number: u64, raw: RawRow) -> Result<Row, RowFindings> {
        let (line, file) = (raw.line, raw.file);
        let default_id = raw.default_id;
        let row = raw.fields.and_then(|fields| {
            let mut findings = Findings::default();
            let row = self.row(number, default_id, &file, fields, &mut findings);
            match row {
                Some(row) if findings.0.is_empty() => Ok(row),
                _ => Err(findings.0),
            }
        });
        match row {
            Ok((id, output, request)) => {
                let cost = self.guard.cost(&request);
                match cost {
                    Ok(cost) => Ok(Row {
                        number,
                        line,
                        file,
                        id,
                        output,
                        request,
                        cost,
                    }),
                    Err(error) => Err(RowFindings {
                        row: number,
                        line,
                        file,
                        findings: vec![RowFinding::error(None, "no-price", error.to_string())],
                    }),
                }
            }
            Err(findings) => Err(RowFindings {
                row: number,
                line,
                file,
                findings,
            }),
        }
    }

    fn row(
        &mut self,
        number: u64,
        default_id: Option<String>,
        file: &Path,
        mut fields: Map<String, Value>,
        findings: &mut Findings,
    ) -> Option<(String, PathBuf, Request)> {
        // Null is an absent field, as in a request.
        fields.retain(|_, value| !value.is_null());
        let own = fields.clone();
        for (name, value) in &self.defaults {
            fields.entry(name).or_insert_with(|| value.clone());
        }
        for (name, _) in fields.iter().filter(|(_, value)| has_nul(value)) {
            findings.add(name, "nul-character", "has a NUL character");
        }
        let given_id = fields.remove("id");
        let given_output = fields.remove("output");
        let id = self.id(number, given_id, default_id, own, findings);
        let output = id
            .as_deref()
            .and_then(|id| self.output(number, given_output, id, file, findings));
        let request = self.request(fields, findings);
        Some((id?, output?, request?))
    }

    fn id(
        &mut self,
        number: u64,
        given: Option<Value>,
        default: Option<String>,
        own: Map<String, Value>,
        findings: &mut Findings,
    ) -> Option<String> {
        let is_given = given.is_some() || default.is_some();
        let id = match given {
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) if number.is_u64() => number.to_string(),
            Some(_) => {
                findings.add("id", "invalid-id", "is not a text");
                return None;
            }
            None => default.unwrap_or_else(|| row_hash(own)),
        };
        if id.trim().is_empty() || id.len() > MAX_ID || id.chars().any(char::is_control) {
            let message = format!("has no text, more than {MAX_ID} bytes or control characters");
            findings.add("id", "invalid-id", message);
            return None;
        }
        if let Some(other) = self.ids.get(&id) {
            let message = match is_given {
                true => format!("{id:?} is the id of row {other}, too"),
                false => format!("is not set, and the row equals row {other}: set different ids"),
            };
            findings.add("id", "duplicate-id", message);
            return None;
        }
        self.ids.insert(id.clone(), number);
        Some(id)
    }

    fn output(
        &mut self,
        number: u64,
        given: Option<Value>,
        id: &str,
        file: &Path,
        findings: &mut Findings,
    ) -> Option<PathBuf> {
        let pattern = match given {
            Some(Value::String(text)) => text,
            Some(_) => {
                findings.add("output", "invalid-output", "is not a text");
                return None;
            }
            None => self.pattern.clone(),
        };
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let (id, row) = (file_stem(id), number.to_string());
        let values = [("id", &*id), ("row", &*row), ("stem", &*stem)];
        let name = output::expand(&pattern, &values).and_then(|name| output::check(&name));
        let path = findings.check("output", "invalid-output", name)?;
        let added = self.outputs.add(&path, number);
        findings.check("output", "duplicate-output", added)?;
        Some(path)
    }

    fn request(&self, mut fields: Map<String, Value>, findings: &mut Findings) -> Option<Request> {
        let count = findings.0.len();
        let mut choice = |name: &str| match fields.remove(name)? {
            Value::String(text) => Some(text),
            other => Some(other.to_string()),
        };
        let (mode, tier) = (choice("mode"), choice("tier"));
        let mode = mode.map(|text| findings.check("mode", "unsupported-value", cell::mode(&text)));
        let tier = tier.map(|text| findings.check("tier", "unsupported-value", cell::tier(&text)));
        for name in fields.keys().filter(|name| !cell::is_field(name)) {
            findings.add(name, "unknown-field", cell::unknown_field(name));
        }
        fields.retain(|name, _| cell::is_field(name));
        let kind = match mode {
            // Its value is invalid, so nothing else can be said about the fields.
            Some(None) => return None,
            Some(Some(mode)) => RequestType::for_mode(mode),
            None => self.kind_of(&fields, findings)?,
        };
        let tier = tier.flatten().unwrap_or_default();
        let builder = self.builder(kind, tier, fields, findings);
        let request = builder.deny_warnings(self.denies_warnings).build();
        let failed: Vec<_> = findings.0[count..]
            .iter()
            .filter_map(|one| one.field.clone())
            .collect();
        match request {
            Ok(request) => Some(request),
            Err(error) => {
                // A field that could not be set is not missing, also where a rule asks for one of several fields.
                let is_required = |name: &str| {
                    let mut fields = kind.limits.iter().copied().flatten();
                    fields.any(|field| field.name == name && field.required)
                };
                let others = error.findings().iter().filter(|finding| {
                    let name = root(finding.field());
                    let is_missing = finding.code() == FindingCode::MissingField;
                    !failed.iter().any(|field| root(field) == name)
                        && (failed.is_empty() || !is_missing || is_required(name))
                });
                findings.0.extend(others.map(RowFinding::from));
                None
            }
        }
    }

    /// The type of the request, by its fields.
    fn kind_of(
        &self,
        fields: &Map<String, Value>,
        findings: &mut Findings,
    ) -> Option<&'static RequestType> {
        let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
        // Maps of serde_json have the order of the text if any crate of the program asks for it.
        names.sort_unstable();
        let found = RequestType::with_fields(&names);
        if found.is_none() {
            let conflict = (1..names.len()).find_map(|last| {
                let mut others = names[..last].iter();
                let other =
                    others.find(|one| RequestType::with_fields(&[**one, names[last]]).is_none())?;
                Some((names[last], *other))
            });
            match conflict {
                Some((name, other)) => {
                    findings.add(
                        name,
                        "no-mode",
                        format!("cannot be combined with {other} in any mode"),
                    );
                }
                None => findings.0.push(RowFinding::error(
                    None,
                    "no-mode",
                    format!("has no mode with all of its fields ({})", names.join(", ")),
                )),
            }
        }
        found
    }

    /// Sets the fields that have a valid type.
    fn builder(
        &self,
        kind: &'static RequestType,
        tier: Tier,
        fields: Map<String, Value>,
        findings: &mut Findings,
    ) -> RequestBuilder {
        let Ok(mut builder) = kind.deserialize(json!({ "tier": tier.as_str() })) else {
            unreachable!("every request type has a tier")
        };
        for (name, value) in fields {
            if !kind.has_field(&name) {
                let mode: Mode = kind.mode;
                findings.add(
                    &name,
                    "unsupported-field",
                    format!("is not a field of the mode {mode}"),
                );
                continue;
            }
            match builder.clone().set(&name, FieldValue::Json(value)) {
                Ok(set) => builder = set,
                Err(problem) => findings.add(&name, "invalid-value", unquoted(&problem)),
            }
        }
        for (field, source) in builder.media_mut() {
            let Some(text) = source.as_url() else {
                continue;
            };
            let MediaSource::File(path) = MediaSource::url_or_path(text) else {
                continue;
            };
            let path = self.folder.join(path);
            match path.metadata() {
                Ok(metadata) if metadata.is_file() => *source = path.into(),
                _ => {
                    let shown: String = text.chars().take(80).collect();
                    let message = format!("{shown:?} is neither a URL nor a file");
                    findings.add(&field.to_string(), "missing-file", message);
                    // The rest of the request can then be checked.
                    *source = path.into();
                }
            }
        }
        builder
    }
}

/// The field of the body that contains a value.
fn root(field: &str) -> &str {
    field.split(['[', '.']).next().unwrap_or(field)
}

/// The hash of the fields of a row, in any order.
fn row_hash(fields: Map<String, Value>) -> String {
    let mut value = Value::Object(fields);
    value.sort_all_objects();
    let hash = Sha256::digest(value.to_string());
    hex(&hash[..HASH_DIGITS / 2])
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.values().any(has_nul),
        _ => false,
    }
}
