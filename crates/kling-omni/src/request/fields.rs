use std::collections::BTreeMap;
use std::fmt;

use kling_omni_api::Field;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::media::MediaSource;
use crate::redact::BareUrl;
use crate::route::{CreateRoute, Mode, Tier};
use crate::validation::Finding;

/// What a person asked for, not yet held against any rule; one implementor for each type of request.
///
/// It serialises as the body that the API documents, with the tier beside. The rules of the API's document are looked up
/// by the names in there, so that only what ties fields together is left to say here.
pub(crate) trait Fields: Clone + Default + Serialize {
    /// What the video is made from.
    const MODE: Mode;
    /// The rules that the type is described by; a route may have narrower ones.
    const RULES: &'static [Field];

    /// The tier that was asked for.
    fn tier(&self) -> Option<Tier>;

    /// Every image and video that is set, with its place as findings name it.
    fn media(&mut self) -> Vec<(String, &mut MediaSource)>;

    /// What breaks a rule that the document has in prose only, or that it takes for granted.
    fn breaches(&self) -> Vec<Finding>;

    /// What is legal on a route and looks like a mistake.
    fn mistakes(&self, route: CreateRoute) -> Vec<Finding>;

    /// A copy of every image and video that is set, with its place as findings name it.
    fn media_copy(&self) -> Vec<(String, MediaSource)> {
        let mut fields = self.clone();
        let media = fields.media().into_iter();
        media.map(|(at, source)| (at, source.clone())).collect()
    }

    /// Puts URLs in the place of what was uploaded to them, by the places as findings name them.
    fn set_urls(&mut self, urls: &BTreeMap<String, String>) {
        for (at, source) in self.media() {
            if let Some(url) = urls.get(&at) {
                *source = url.as_str().into();
            }
        }
    }

    /// The body as it is sent: without the tier, which chooses the path. What is local has no URL yet, and shows what it is.
    fn body(&self) -> Map<String, Value> {
        let mut shown = self.clone();
        for (_, source) in shown.media() {
            source.show();
        }
        let mut body = members(&shown);
        body.remove("tier");
        body
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
        Value::String(text) if rules.format == Some("uri") => *text = BareUrl(text).to_string(),
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
