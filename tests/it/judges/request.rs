use std::fmt;
use std::ops::RangeInclusive;

use kling_omni::{AspectRatio, FindingCode, Tier, VideoReference, VideoReferenceBuilder};
use kling_omni_api::Field;
use kling_omni_tests::fail;
use kling_omni_tests::spec::entries;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// A longer value is cut in the message of a failure.
const SHOWN_CHARACTERS: usize = 60;

/// What a person might ask for, before anybody has looked at it.
#[derive(Clone, Default)]
pub(super) struct Request {
    tier: Tier,
    prompt: Option<String>,
    video_url: Option<String>,
    image_url: Option<String>,
    duration: Option<u32>,
    aspect_ratio: Option<AspectRatio>,
    cfg_scale: Option<f64>,
    negative_prompt: Option<String>,
    webhook_url: Option<String>,
}

/// One value for the field that a request is about to break.
#[derive(Clone, Debug)]
enum Given {
    Nothing,
    Text(String),
    Whole(u32),
    Number(f64),
}

/// A way to break one rule of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breach {
    Missing,
    TooLong,
    BelowMinimum,
    AboveMaximum,
    NotAllowed,
    NotAUrl,
}

impl Request {
    pub(super) fn builder(&self) -> VideoReferenceBuilder {
        let this = self.clone();
        let mut builder = VideoReference::builder().tier(this.tier);
        if let Some(prompt) = this.prompt {
            builder = builder.prompt(prompt);
        }
        if let Some(url) = this.video_url {
            builder = builder.reference_video(url);
        }
        if let Some(url) = this.image_url {
            builder = builder.start_frame(url);
        }
        if let Some(seconds) = this.duration {
            builder = builder.duration(seconds);
        }
        if let Some(ratio) = this.aspect_ratio {
            builder = builder.aspect_ratio(ratio);
        }
        if let Some(scale) = this.cfg_scale {
            builder = builder.cfg_scale(scale);
        }
        if let Some(prompt) = this.negative_prompt {
            builder = builder.negative_prompt(prompt);
        }
        if let Some(url) = this.webhook_url {
            builder = builder.webhook_url(url);
        }
        builder
    }

    fn set(&mut self, field: &str, given: Given) {
        match (field, given) {
            ("prompt", given) => self.prompt = given.text(),
            ("video_url", given) => self.video_url = given.text(),
            ("image_url", given) => self.image_url = given.text(),
            ("negative_prompt", given) => self.negative_prompt = given.text(),
            ("webhook_url", given) => self.webhook_url = given.text(),
            ("duration", Given::Whole(seconds)) => self.duration = Some(seconds),
            ("cfg_scale", Given::Number(scale)) => self.cfg_scale = Some(scale),
            (field, _) => fail(&format!("{field} is new: add it to `Request` in this test")),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.builder().to_unchecked_body();
        write!(f, "{} tier", self.tier)?;
        for (name, value) in entries(&body) {
            let value = value.to_string();
            let characters = value.chars().count();
            if characters <= SHOWN_CHARACTERS {
                write!(f, ", {name}: {value}")?;
            } else {
                let start: String = value.chars().take(SHOWN_CHARACTERS).collect();
                write!(f, ", {name}: {start}… ({characters} characters)")?;
            }
        }
        Ok(())
    }
}

impl Given {
    fn text(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Text(text) => Some(text),
            given => panic!("{given:?} is no text"),
        }
    }
}

impl Breach {
    /// Every rule of a field that a builder's call can break.
    pub(super) fn of_field(field: &Field) -> Vec<(&Field, Self)> {
        assert_eq!(field.min_length, None, "teach this test to be too short");
        // A shape is one of ours by its type; a request file that has another is in a test of its own.
        let is_ours = field.name == "aspect_ratio";
        let breaches = [
            (field.required, Self::Missing),
            (field.max_length.is_some(), Self::TooLong),
            (field.minimum.is_some(), Self::BelowMinimum),
            (field.maximum.is_some(), Self::AboveMaximum),
            (!field.values.is_empty() && !is_ours, Self::NotAllowed),
            (field.format == Some("uri"), Self::NotAUrl),
        ];
        breaches
            .into_iter()
            .filter_map(|(applies, breach)| applies.then_some((field, breach)))
            .collect()
    }

    pub(super) fn code(self) -> FindingCode {
        match self {
            Self::Missing => FindingCode::Missing,
            Self::TooLong => FindingCode::TooLong,
            Self::BelowMinimum => FindingCode::BelowMinimum,
            Self::AboveMaximum => FindingCode::AboveMaximum,
            Self::NotAllowed => FindingCode::NotAllowed,
            Self::NotAUrl => FindingCode::NotAbsoluteUrl,
        }
    }

    fn values(self, field: &Field) -> BoxedStrategy<Given> {
        let bound = |bound: Option<f64>| bound.unwrap_or_default();
        match self {
            Self::Missing => Just(Given::Nothing).boxed(),
            Self::TooLong => {
                let most = field.max_length.unwrap_or_default();
                text(most + 1..=most + 100).prop_map(Given::Text).boxed()
            }
            Self::BelowMinimum => {
                let least = bound(field.minimum);
                let below =
                    prop_oneof![Just(least.next_down()), least - 10.0..least, Just(f64::MIN)];
                below.prop_map(Given::Number).boxed()
            }
            Self::AboveMaximum => {
                let most = bound(field.maximum);
                let above = prop_oneof![
                    Just(most.next_up()),
                    most.next_up()..most + 10.0,
                    Just(f64::MAX)
                ];
                above.prop_map(Given::Number).boxed()
            }
            Self::NotAllowed => {
                let allowed = field.values;
                prop_oneof![0..100_u32, any::<u32>()]
                    .prop_filter("allowed", move |value| {
                        !allowed.contains(&&*value.to_string())
                    })
                    .prop_map(Given::Whole)
                    .boxed()
            }
            Self::NotAUrl => not_a_url().prop_map(Given::Text).boxed(),
        }
    }
}

/// Requests that obey every rule.
pub(super) fn valid(tier: Tier, fields: &'static [Field]) -> impl Strategy<Value = Request> {
    let rules = move |name: &str| {
        let mut fields = fields.iter();
        fields
            .find(|field| field.name == name)
            .unwrap_or_else(|| panic!("the spec has no field {name}"))
    };
    let prompt = |name| option::of(text(0..=rules(name).max_length.unwrap_or(5000)));
    let url = |name| match rules(name).required {
        true => url().prop_map(Some).boxed(),
        false => option::of(url()).boxed(),
    };
    let seconds: Vec<u32> = rules("duration")
        .values
        .iter()
        .map(|value| value.parse().expect("a number"))
        .collect();
    let (least, most) = (rules("cfg_scale").minimum, rules("cfg_scale").maximum);
    let (least, most) = (least.unwrap_or(-9.0), most.unwrap_or(9.0));
    let scale = prop_oneof![Just(least), least..=most, Just(most)];
    (
        prompt("prompt"),
        url("video_url"),
        url("image_url"),
        option::of(select(seconds)),
        option::of(select(AspectRatio::ALL)),
        option::of(scale),
        prompt("negative_prompt"),
        url("webhook_url"),
    )
        .prop_map(
            move |(
                prompt,
                video_url,
                image_url,
                duration,
                aspect_ratio,
                cfg_scale,
                negative_prompt,
                webhook_url,
            )| {
                Request {
                    tier,
                    prompt,
                    video_url,
                    image_url,
                    duration,
                    aspect_ratio,
                    cfg_scale,
                    negative_prompt,
                    webhook_url,
                }
            },
        )
}

/// Requests that obey every rule but one.
pub(super) fn broken(
    tier: Tier,
    fields: &'static [Field],
    field: &'static Field,
    breach: Breach,
) -> impl Strategy<Value = Request> {
    (valid(tier, fields), breach.values(field)).prop_map(|(mut request, given)| {
        request.set(field.name, given);
        request
    })
}

/// Texts of so many characters of any kind, built of a few that repeat: as good as random ones, and quick to shrink.
fn text(length: RangeInclusive<usize>) -> impl Strategy<Value = String> {
    let ends = [*length.start(), *length.end()];
    let length = prop_oneof![select(ends.to_vec()), length];
    (vec(any::<char>(), 1..8), length)
        .prop_map(|(characters, length)| characters.into_iter().cycle().take(length).collect())
}

/// URLs by the book, RFC 3986.
fn url() -> impl Strategy<Value = String> {
    const HOST: &str = "([a-z]{1,8}[.]){1,2}(com|example)|127[.]0[.]0[.]1|\\[::1\\]";
    const PATH: &str = "(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2}){0,8}){0,3}";
    const QUERY: &str = "(\\?[a-z0-9=&/?~]{0,12})?(#[a-z]{0,4})?";
    let port = option::of(1..=u16::MAX);
    (select(vec!["http", "https"]), HOST, port, PATH, QUERY).prop_map(
        |(scheme, host, port, path, query)| {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}://{host}{port}{path}{query}")
        },
    )
}

/// What people and programs take for URLs: blanks, umlauts, brackets and half-encoded characters included.
pub(super) fn careless_url() -> impl Strategy<Value = String> {
    "https?://[a-zä.-]{1,8}(:[0-9]{1,5})?(/[ -~äß]{0,8}){0,3}(\\?[ -~ä]{0,8})?(#[ -~]{0,4})?"
}

/// References that lack a scheme, which only a browser could complete.
fn not_a_url() -> impl Strategy<Value = String> {
    prop_oneof![
        "(//?)?[a-z]{0,8}(/[a-z0-9]{1,8}){0,3}([.]mp4)?",
        "[a-z]{1,8}[.]example[.]com/[a-z0-9]{1,8}",
        "https? ://example[.]com/[a-z]{1,8}",
    ]
}
