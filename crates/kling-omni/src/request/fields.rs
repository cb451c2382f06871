use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::aspect_ratio::AspectRatio;
use crate::redact::BareUrl;
use crate::route::Tier;

/// What a person asked for, not yet held against any rule. Named as on the wire, so that a request in a file is the
/// body that the API documents. Null is read as "not set"; the schema has no word of it, since nobody should write it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[schemars(
    rename = "VideoReference",
    description = "A video to make from a prompt, a reference video and a start frame.",
    transform = super::schema::add_limits
)]
pub(crate) struct Fields {
    /// What the video shows. Call the reference video `@Video1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) prompt: Option<String>,
    /// Public http(s) URL of the reference video that guides motion and style.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) video_url: Option<String>,
    /// Public http(s) URL of the image that the video starts with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) image_url: Option<String>,
    /// Length of the video to make, in whole seconds, as a string.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "seconds_as_text",
        deserialize_with = "seconds_from_text_or_number"
    )]
    #[schemars(with = "String")]
    pub(crate) duration: Option<u32>,
    /// Shape of the video to make. `auto` follows the reference video or the start frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AspectRatio")]
    pub(crate) aspect_ratio: Option<AspectRatio>,
    /// How closely to follow the prompt; 0 is freest. The older route takes greater values than its successor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64")]
    pub(crate) cfg_scale: Option<f64>,
    /// What to keep out of the video.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) negative_prompt: Option<String>,
    /// Public http(s) URL that gets a signed POST whenever the task changes its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub(crate) webhook_url: Option<String>,
    /// Quality tier that makes the video. Not part of the body: it decides the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Tier")]
    pub(crate) tier: Option<Tier>,
}

impl fmt::Debug for Fields {
    /// URLs may carry tokens, and texts are long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = |url: &Option<String>| url.as_deref().map(|url| BareUrl(url).to_string());
        f.debug_struct("VideoReference")
            .field("prompt", &self.prompt)
            .field("video_url", &url(&self.video_url))
            .field("image_url", &url(&self.image_url))
            .field("duration", &self.duration)
            .field("aspect_ratio", &self.aspect_ratio)
            .field("cfg_scale", &self.cfg_scale)
            .field("negative_prompt", &self.negative_prompt)
            .field("webhook_url", &url(&self.webhook_url))
            .field("tier", &self.tier)
            .finish()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Fields {
    /// Takes objects alone: the derived code would fill the fields from a list by their position, too.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with the fields of a request")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Fields, A::Error> {
                Fields::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// One value as the rules see it.
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(f64),
    Choice(String),
}

impl Fields {
    /// The value under a wire name; `None` when it is not set. Rules of the spec are looked up by the same names.
    pub(crate) fn value(&self, name: &str) -> Option<Value<'_>> {
        match name {
            "prompt" => self.prompt.as_deref().map(Value::Text),
            "video_url" => self.video_url.as_deref().map(Value::Text),
            "image_url" => self.image_url.as_deref().map(Value::Text),
            "duration" => self
                .duration
                .map(|seconds| Value::Choice(seconds.to_string())),
            "aspect_ratio" => self
                .aspect_ratio
                .map(|ratio| Value::Choice(ratio.as_str().to_owned())),
            "cfg_scale" => self.cfg_scale.map(Value::Number),
            "negative_prompt" => self.negative_prompt.as_deref().map(Value::Text),
            "webhook_url" => self.webhook_url.as_deref().map(Value::Text),
            _ => None,
        }
    }
}

fn seconds_as_text<S: Serializer>(seconds: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
    match seconds {
        Some(seconds) => serializer.collect_str(seconds),
        None => serializer.serialize_none(),
    }
}

/// The wire has a string; people write numbers, and there is just one thing that they can mean.
fn seconds_from_text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Number(u32),
        Text(String),
    }
    match Option::<Given>::deserialize(deserializer) {
        Ok(None) => Ok(None),
        Ok(Some(Given::Number(seconds))) => Ok(Some(seconds)),
        // `+8` and `08` are numbers, and no duration that the service knows.
        Ok(Some(Given::Text(text))) => match text.parse::<u32>() {
            Ok(seconds) if seconds.to_string() == text => Ok(Some(seconds)),
            _ => Err(de::Error::custom(
                "duration is not a whole number of seconds",
            )),
        },
        Err(_) => Err(de::Error::custom(
            "duration is not a whole number of seconds",
        )),
    }
}
