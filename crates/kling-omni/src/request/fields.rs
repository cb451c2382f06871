//! What the types of requests have in common: their fields, and the JSON that these are serialised to.

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

/// What a person asked for, not yet checked against any rule; one implementor for each type of request.
///
/// It serialises as the body that the API documents, with the tier beside. The rules of the API's document are looked up
/// by the names in there, so that only what ties fields together is left to say here.
pub(crate) trait Fields: Clone + Default + Serialize {
    /// What the video is made from.
    const MODE: Mode;

    /// The tier that was asked for.
    fn tier(&self) -> Option<Tier>;

    /// Every image and video that is set.
    fn media_mut(&mut self) -> Vec<(MediaField, &mut MediaSource)>;

    /// What breaks a rule that the document has in prose only, or that it takes for granted.
    fn errors(&self) -> Vec<Finding>;

    /// What is legal on a route and looks like a mistake.
    fn warnings(&self, json: &RequestJson, route: CreateRoute) -> Vec<Finding>;

    /// A copy of every image and video that is set.
    fn media(&self) -> Vec<(MediaField, MediaSource)> {
        let mut fields = self.clone();
        let media = fields.media_mut().into_iter();
        media
            .map(|(field, source)| (field, source.clone()))
            .collect()
    }

    /// Replaces every local file with the text that describes it, and returns the fields that had one.
    fn show_local(&mut self) -> Vec<MediaField> {
        let mut media = self.media_mut();
        media.retain(|(_, source)| source.is_local());
        let show = |(field, source): (MediaField, &mut MediaSource)| {
            source.show();
            field
        };
        media.into_iter().map(show).collect()
    }
}

/// The JSON body of a request. It is serialised once, and everything that needs the body reads it here.
#[derive(Clone, PartialEq)]
pub(crate) struct RequestJson {
    /// Without the tier, which chooses the path.
    body: Arc<Value>,
    /// The fields whose files have no URL yet. In the body, a text describes them.
    local: Vec<MediaField>,
}

impl RequestJson {
    pub(super) fn new(fields: &impl Fields) -> Self {
        let mut shown = fields.clone();
        let local = shown.show_local();
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

    /// Replaces the one value.
    pub(super) fn set_url(&mut self, field: MediaField, url: &str) {
        if let Some(value) = field.value_mut(Arc::make_mut(&mut self.body)) {
            *value = url.into();
        }
        self.local.retain(|local| *local != field);
    }
}

/// Shows what is set. URLs may carry tokens, which stay hidden.
pub(super) fn debug(
    name: &str,
    value: &impl Serialize,
    rules: &[Field],
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let mut shown = f.debug_struct(name);
    for (name, mut value) in members(value) {
        if let Some(rules) = rules.iter().find(|rules| rules.name == name) {
            bare(&mut value, rules);
        }
        shown.field(&name, &format_args!("{value}"));
    }
    shown.finish()
}

/// Takes user info, queries and fragments out of the URLs of a value.
fn bare(value: &mut Value, rules: &Field) {
    match value {
        Value::String(text) if rules.format == Some("uri") => *text = RedactedUrl(text).to_string(),
        Value::Array(items) => {
            if let Some(rules) = rules.items {
                items.iter_mut().for_each(|item| bare(item, rules));
            }
        }
        Value::Object(members) => {
            for rules in rules.fields {
                if let Some(member) = members.get_mut(rules.name) {
                    bare(member, rules);
                }
            }
        }
        _ => {}
    }
}

fn members(value: &impl Serialize) -> Map<String, Value> {
    // Strings, numbers, lists and enums of our own: without local files, nothing in it can fail to serialise. JSON has no NaN,
    // and null for it.
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
