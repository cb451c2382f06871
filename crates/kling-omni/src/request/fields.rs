//! The fields of a request type, and their JSON form.

use std::fmt;
use std::sync::Arc;

use kling_omni_api::Field;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::media::MediaSource;
use crate::media_field::MediaField;
use crate::redact::RedactedUrl;
use crate::route::{CreateRoute, Mode, Tier};
use crate::validation::Finding;

/// The fields of a request before validation; implemented for each request type.
///
/// Serialises as the documented body, with the tier beside it. Rules on one field are looked up in the document by
/// field name; implementations add only rules on several fields.
pub(crate) trait Fields: Clone + Default + Serialize {
    /// The mode of the request type.
    const MODE: Mode;

    /// The requested tier.
    fn tier(&self) -> Option<Tier>;

    /// All images and videos.
    fn media_mut(&mut self) -> Vec<(MediaField, &mut MediaSource)>;

    /// Violations of rules that the document has only in prose or implies.
    fn errors(&self) -> Vec<Finding>;

    /// Findings on a valid request that suggest a mistake.
    fn warnings(&self, json: &RequestJson, route: CreateRoute) -> Vec<Finding>;

    /// Copies of all images and videos.
    fn media(&self) -> Vec<(MediaField, MediaSource)> {
        let mut fields = self.clone();
        let media = fields.media_mut().into_iter();
        media
            .map(|(field, source)| (field, source.clone()))
            .collect()
    }

    /// Replaces each local file by a text that describes it, and returns the fields of these files.
    fn replace_local_by_text(&mut self) -> Vec<MediaField> {
        let mut media = self.media_mut();
        media.retain(|(_, source)| source.is_local());
        let replace = |(field, source): (MediaField, &mut MediaSource)| {
            source.replace_by_text();
            field
        };
        media.into_iter().map(replace).collect()
    }
}

/// The JSON body of a request, serialised once for all uses.
#[derive(Clone, PartialEq)]
pub(crate) struct RequestJson {
    /// Does not contain the tier, which chooses the path.
    body: Arc<Value>,
    /// The fields whose files have no URL yet. The body has a text that describes them.
    local: Vec<MediaField>,
}

impl RequestJson {
    pub(super) fn new(fields: &impl Fields) -> Self {
        let mut shown = fields.clone();
        let local = shown.replace_local_by_text();
        let mut body = members(&shown);
        body.remove("tier");
        Self {
            body: Arc::new(Value::Object(body)),
            local,
        }
    }

    pub(crate) fn body(&self) -> &Value {
        &self.body
    }

    /// The paths of the fields whose files have no URL yet.
    pub(super) fn local_paths(&self) -> Vec<String> {
        self.local.iter().map(MediaField::to_string).collect()
    }
}

/// Writes the fields that are set. URLs are redacted because they may carry tokens.
pub(super) fn debug(
    name: &str,
    value: &impl Serialize,
    rules: &[Field],
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let mut shown = f.debug_struct(name);
    for (name, mut value) in members(value) {
        if let Some(rules) = rules.iter().find(|rules| rules.name == name) {
            redact_urls(&mut value, rules);
        }
        shown.field(&name, &format_args!("{value}"));
    }
    shown.finish()
}

/// Removes user info, queries and fragments from the URLs of a value.
fn redact_urls(value: &mut Value, rules: &Field) {
    match value {
        Value::String(text) if rules.format == Some("uri") => *text = RedactedUrl(text).to_string(),
        Value::Array(items) => {
            if let Some(rules) = rules.items {
                items.iter_mut().for_each(|item| redact_urls(item, rules));
            }
        }
        Value::Object(members) => {
            for rules in rules.fields {
                if let Some(member) = members.get_mut(rules.name) {
                    redact_urls(member, rules);
                }
            }
        }
        _ => {}
    }
}

fn members(value: &impl Serialize) -> Map<String, Value> {
    // Cannot fail: the fields are strings, numbers, lists and our own enums, and have no local files. NaN becomes
    // null.
    match serde_json::to_value(value) {
        Ok(Value::Object(mut members)) => {
            // In the order in which they are sent.
            members.sort_keys();
            members.values_mut().for_each(Value::sort_all_objects);
            members
        }
        _ => Map::new(),
    }
}
