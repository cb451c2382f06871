//! The options that set the fields of a request.

use std::path::Path;
use std::str::FromStr;

use clap::Args;
use kling_omni::Tier;
use kling_omni::request::{
    AspectRatio, Element, MediaSource, TextToVideoBuilder, VideoReferenceBuilder,
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::help;
use crate::choice::one_of;
use crate::cli;
use crate::failure::Failure;
use crate::input::{self, LARGEST_TEXT};
use crate::media::{self, FILE_OR_URL};

const REFERENCE: &str = "From a reference video";
const TEXT: &str = "From text and images";

/// The fields of a request as options of the command line, for both modes. They are named and written as the API does,
/// so that they can be laid over those of a file.
#[derive(Args, Debug, Serialize)]
pub(super) struct RequestFields {
    #[arg(short, long, value_name = "TEXT", allow_hyphen_values = true, help = help::prompt())]
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,

    #[arg(long = "image", value_name = FILE_OR_URL, value_parser = media::parser(), help = help::image())]
    #[serde(skip)]
    image_url: Option<MediaSource>,

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

    #[arg(
        long = "video",
        value_name = FILE_OR_URL,
        value_parser = media::parser(),
        help = help::video(),
        help_heading = REFERENCE
    )]
    #[serde(skip)]
    video_url: Option<MediaSource>,

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

    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        help = help::negative_prompt(),
        help_heading = REFERENCE
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    negative_prompt: Option<String>,

    #[arg(
        long = "shot",
        value_name = "TEXT",
        allow_hyphen_values = true,
        help = help::shot(),
        help_heading = TEXT
    )]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    multi_prompt: Vec<String>,

    /// The first frame, under the name that the API gives together with an end frame
    #[arg(long = "start-image", value_name = FILE_OR_URL, value_parser = media::parser(), help_heading = TEXT)]
    #[serde(skip)]
    start_image_url: Option<MediaSource>,

    /// The image that the video ends with; goes with --image
    #[arg(long = "end-image", value_name = FILE_OR_URL, value_parser = media::parser(), help_heading = TEXT)]
    #[serde(skip)]
    end_image_url: Option<MediaSource>,

    #[arg(
        long = "reference-image",
        value_name = FILE_OR_URL,
        value_parser = media::parser(),
        help = help::reference_image(),
        help_heading = TEXT
    )]
    #[serde(skip)]
    image_urls: Vec<MediaSource>,

    #[arg(long = "element", value_name = "FILES|URLS", value_parser = element, help = help::element(), help_heading = TEXT)]
    #[serde(skip)]
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
    /// Reads the text that `-` stands for, and refuses what can only be a slip: a text that is an option of this program,
    /// since another one was forgotten or empty, or the name of a file after `@`.
    pub(super) fn read_texts(&mut self, other_uses_of_stdin: usize) -> Result<(), Failure> {
        let texts = || ["--prompt", "--negative-prompt"].into_iter();
        let given = [&mut self.prompt, &mut self.negative_prompt];
        let single = texts()
            .zip(given)
            .filter_map(|(option, text)| Some((option, text.as_mut()?)));
        let shots = self.multi_prompt.iter_mut().map(|shot| ("--shot", shot));
        let mut uses = other_uses_of_stdin;
        let mut piped = None;
        for (option, text) in single.chain(shots) {
            if text == "-" {
                uses += 1;
                input::refuse_sharing(uses)?;
                piped = Some(text);
            } else {
                refuse_slip(option, text)?;
            }
        }
        if let Some(text) = piped {
            *text = from_stdin()?;
        }
        Ok(())
    }

    /// What is set, as in a file. What is local has no URL yet, and is shown as text.
    pub(super) fn body(&self) -> Map<String, Value> {
        let mut body = match serde_json::to_value(self) {
            Ok(Value::Object(body)) => body,
            // Texts, lists and finite numbers can always be written as JSON.
            _ => Map::new(),
        };
        let shown = |source: &MediaSource| match source.as_url() {
            Some(url) => url.into(),
            None => Value::from(source.to_string()),
        };
        let elements = |element: &Element| {
            serde_json::to_value(element).unwrap_or_else(|_| element.frontal().map(shown).into())
        };
        for (name, source) in self.media() {
            let value = match name {
                "image_urls" => self.image_urls.iter().map(shown).collect(),
                "elements" => self.elements.iter().map(elements).collect(),
                _ => shown(source),
            };
            body.insert(name.to_owned(), value);
        }
        body
    }

    /// Every image and video that is set, with the name of its field.
    pub(super) fn media(&self) -> impl Iterator<Item = (&'static str, &MediaSource)> {
        let single = [
            ("video_url", &self.video_url),
            ("image_url", &self.image_url),
            ("start_image_url", &self.start_image_url),
            ("end_image_url", &self.end_image_url),
        ];
        let single = single
            .into_iter()
            .filter_map(|(name, one)| Some((name, one.as_ref()?)));
        let images = self.image_urls.iter().map(|one| ("image_urls", one));
        let elements = self.elements.iter().flat_map(|element| {
            let all = element.frontal().into_iter().chain(element.references());
            all.map(|one| ("elements", one))
        });
        single.chain(images).chain(elements)
    }

    /// Adds images and videos to a request that was read without them: a file on this machine cannot be read from JSON.
    pub(super) fn add_to_reference(
        self,
        mut builder: VideoReferenceBuilder,
    ) -> VideoReferenceBuilder {
        if let Some(video) = self.video_url {
            builder = builder.reference_video(video);
        }
        if let Some(image) = self.image_url {
            builder = builder.start_frame(image);
        }
        builder
    }

    /// The same for a request from text.
    pub(super) fn add_to_text(self, mut builder: TextToVideoBuilder) -> TextToVideoBuilder {
        if let Some(image) = self.image_url {
            builder = builder.start_frame(image);
        }
        if let Some(image) = self.start_image_url {
            builder = builder.first_frame(image);
        }
        if let Some(image) = self.end_image_url {
            builder = builder.end_frame(image);
        }
        builder = self
            .image_urls
            .into_iter()
            .fold(builder, TextToVideoBuilder::reference_image);
        self.elements
            .into_iter()
            .fold(builder, TextToVideoBuilder::element)
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

/// Standard input without the line end that a shell adds.
fn from_stdin() -> Result<String, Failure> {
    let mut text = input::read(Path::new("-"), LARGEST_TEXT)?.text()?;
    if text.ends_with('\n') {
        text.pop();
        text.truncate(text.trim_end_matches('\r').len());
    }
    // A program in front of the pipe that failed must not lead to a paid task without a text.
    if text.trim().is_empty() {
        return Err(Failure::usage("standard input holds no text"));
    }
    Ok(text)
}

fn refuse_slip(option: &str, text: &str) -> Result<(), Failure> {
    let advice = "give the text by standard input: write - in its place";
    if let Some(other) = cli::option_of("generate", text) {
        return Err(Failure::usage(format!(
            "{option} has no text of its own: the option {other} follows it"
        ))
        .with_help(advice));
    }
    let file = text.strip_prefix('@').map(Path::new);
    match file.filter(|path| path.is_file()) {
        Some(path) => Err(Failure::usage(format!(
            "{option} takes a text, and no file after @: {} is a file",
            input::name(path)
        ))
        .with_help("write - in its place, and redirect standard input from the file")),
        None => Ok(()),
    }
}

/// The main image of an element, and further ones after blanks, which no URL has and a file here must not.
fn element(images: &str) -> Result<Element, String> {
    let mut images = images
        .split_whitespace()
        .map(|image| media::accepted(image.into()))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter();
    let frontal = images.next().ok_or("an element needs an image")?;
    Ok(images.fold(
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
