use std::str::FromStr;

use clap::Args;
use kling_omni::{AspectRatio, Element, Tier};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::help;
use crate::choice::one_of;

const REFERENCE: &str = "From a reference video";
const TEXT: &str = "From text and images";

/// The fields of a request as options of the command line, for both modes. They are named and written as the API does,
/// so that they can be laid over those of a file.
#[derive(Args, Debug, Serialize)]
pub(super) struct RequestFields {
    #[arg(short, long, value_name = "TEXT", help = help::prompt())]
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,

    #[arg(long = "image", value_name = "URL", help = help::image())]
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,

    #[arg(short, long, value_name = "SECONDS", allow_negative_numbers = true, help = help::duration())]
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    duration: Option<u32>,

    #[arg(
        short,
        long,
        value_name = "RATIO",
        value_parser = one_of(AspectRatio::ALL, AspectRatio::as_str),
        help = help::aspect_ratio()
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    aspect_ratio: Option<AspectRatio>,

    /// URL that gets a signed POST whenever the task changes its status
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook_url: Option<String>,

    #[arg(
        long,
        value_name = "TIER",
        value_parser = one_of(Tier::ALL, Tier::as_str),
        help = help::tier()
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<Tier>,

    #[arg(long = "video", value_name = "URL", help = help::video(), help_heading = REFERENCE)]
    #[serde(skip_serializing_if = "Option::is_none")]
    video_url: Option<String>,

    #[arg(
        long,
        value_name = "NUMBER",
        allow_negative_numbers = true,
        value_parser = finite,
        help = help::cfg_scale(),
        help_heading = REFERENCE
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    cfg_scale: Option<f64>,

    #[arg(long, value_name = "TEXT", help = help::negative_prompt(), help_heading = REFERENCE)]
    #[serde(skip_serializing_if = "Option::is_none")]
    negative_prompt: Option<String>,

    #[arg(long = "shot", value_name = "TEXT", help = help::shot(), help_heading = TEXT)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    multi_prompt: Vec<String>,

    /// URL of the first frame, under the name that the API gives together with an end frame
    #[arg(long = "start-image", value_name = "URL", help_heading = TEXT)]
    #[serde(skip_serializing_if = "Option::is_none")]
    start_image_url: Option<String>,

    /// URL of the image that the video ends with; goes with --image
    #[arg(long = "end-image", value_name = "URL", help_heading = TEXT)]
    #[serde(skip_serializing_if = "Option::is_none")]
    end_image_url: Option<String>,

    #[arg(long = "reference-image", value_name = "URL", help = help::reference_image(), help_heading = TEXT)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    image_urls: Vec<String>,

    #[arg(long = "element", value_name = "URLS", value_parser = element, help = help::element(), help_heading = TEXT)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    elements: Vec<Element>,

    /// Ask for a sound track, or for none with --audio=false
    #[arg(
        long = "audio",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        help_heading = TEXT
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    generate_audio: Option<bool>,
}

impl RequestFields {
    /// What is set, as in a file.
    pub(super) fn body(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(body)) => body,
            // Texts, lists and finite numbers can always be written as JSON.
            _ => Map::new(),
        }
    }

    /// The option that a field of the API has here.
    pub(super) fn option(field: &str) -> String {
        let command = Self::augment_args(clap::Command::new(""));
        let mut options = command.get_arguments();
        let option = options.find(|option| option.get_id() == field);
        let long = option.and_then(|option| option.get_long());
        format!("--{}", long.unwrap_or(field))
    }
}

/// The main image of an element, and further ones after blanks, which no URL has.
fn element(urls: &str) -> Result<Element, String> {
    let mut urls = urls.split_whitespace();
    let frontal = urls.next().ok_or("an element needs an image")?;
    Ok(urls.fold(
        Element::new().frontal_image(frontal),
        Element::reference_image,
    ))
}

/// JSON has no other numbers.
fn finite(text: &str) -> Result<f64, String> {
    match f64::from_str(text) {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(number) => Err(format!("{number} is no number that can be sent")),
        Err(error) => Err(error.to_string()),
    }
}

/// The API has a string here.
fn as_text<S: Serializer>(seconds: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
    seconds
        .map(|seconds| seconds.to_string())
        .serialize(serializer)
}
