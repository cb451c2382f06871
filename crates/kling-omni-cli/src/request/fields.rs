use clap::Args;
use kling_omni::{AspectRatio, Tier, VideoReference, VideoReferenceBuilder};
use serde::{Deserialize, Deserializer, de};

use super::help;
use crate::choice::one_of;

/// The fields of a request, as options of the command line and as fields of a file. A file names them as the API does.
#[derive(Args, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RequestFields {
    #[arg(short, long, value_name = "TEXT", help = help::prompt())]
    prompt: Option<String>,

    #[arg(long = "video", value_name = "URL", help = help::video())]
    video_url: Option<String>,

    #[arg(long = "image", value_name = "URL", help = help::image())]
    image_url: Option<String>,

    #[arg(short, long, value_name = "SECONDS", allow_negative_numbers = true, help = help::duration())]
    #[serde(deserialize_with = "text_or_number")]
    duration: Option<u32>,

    #[arg(
        short,
        long,
        value_name = "RATIO",
        value_parser = one_of(AspectRatio::ALL, AspectRatio::as_str),
        help = help::aspect_ratio()
    )]
    aspect_ratio: Option<AspectRatio>,

    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, help = help::cfg_scale())]
    cfg_scale: Option<f64>,

    #[arg(long, value_name = "TEXT", help = help::negative_prompt())]
    negative_prompt: Option<String>,

    /// URL that gets a signed POST whenever the task changes its status
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,

    #[arg(
        long,
        value_name = "TIER",
        value_parser = one_of(Tier::ALL, Tier::as_str),
        help = help::tier()
    )]
    pub(super) tier: Option<Tier>,
}

impl RequestFields {
    /// Takes what is set here, and the rest from `below`.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            prompt: self.prompt.or(below.prompt),
            video_url: self.video_url.or(below.video_url),
            image_url: self.image_url.or(below.image_url),
            duration: self.duration.or(below.duration),
            aspect_ratio: self.aspect_ratio.or(below.aspect_ratio),
            cfg_scale: self.cfg_scale.or(below.cfg_scale),
            negative_prompt: self.negative_prompt.or(below.negative_prompt),
            webhook_url: self.webhook_url.or(below.webhook_url),
            tier: self.tier.or(below.tier),
        }
    }

    /// Whether there is nothing that a video could be made from.
    pub(super) fn is_empty(&self) -> bool {
        self.prompt.is_none() && self.video_url.is_none() && self.image_url.is_none()
    }

    pub(super) fn into_builder(self) -> VideoReferenceBuilder {
        let mut builder = VideoReference::builder();
        if let Some(prompt) = self.prompt {
            builder = builder.prompt(prompt);
        }
        if let Some(url) = self.video_url {
            builder = builder.reference_video(url);
        }
        if let Some(url) = self.image_url {
            builder = builder.start_frame(url);
        }
        if let Some(seconds) = self.duration {
            builder = builder.duration(seconds);
        }
        if let Some(ratio) = self.aspect_ratio {
            builder = builder.aspect_ratio(ratio);
        }
        if let Some(scale) = self.cfg_scale {
            builder = builder.cfg_scale(scale);
        }
        if let Some(prompt) = self.negative_prompt {
            builder = builder.negative_prompt(prompt);
        }
        if let Some(url) = self.webhook_url {
            builder = builder.webhook_url(url);
        }
        if let Some(tier) = self.tier {
            builder = builder.tier(tier);
        }
        builder
    }
}

/// The API has a string here; in a file, a number can only mean the same.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seconds {
        Number(u32),
        Text(String),
    }
    let refuse = || de::Error::custom("duration is not a whole number of seconds");
    match Option::<Seconds>::deserialize(deserializer).map_err(|_| refuse())? {
        None => Ok(None),
        Some(Seconds::Number(seconds)) => Ok(Some(seconds)),
        Some(Seconds::Text(text)) => text.parse().map(Some).map_err(|_| refuse()),
    }
}
