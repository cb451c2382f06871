//! Findings: the violations and likely mistakes of a request, with code, field and limit.

use std::borrow::Cow;
use std::fmt;

#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::Serialize;

/// Says in which range a number must be.
pub(crate) fn must_be_between(min: impl fmt::Display, max: impl fmt::Display) -> String {
    format!("must be between {min} and {max}")
}

/// A rule that a request violates, or a property that suggests a mistake.
///
/// It has the field, the code of the rule, the limit and the actual value. A long text is represented by its length,
/// and a URL has no query. `Display` formats the finding as a sentence.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[non_exhaustive]
pub struct Finding {
    severity: Severity,
    code: FindingCode,
    field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    actual: Actual,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
}

impl Finding {
    pub(crate) fn new(
        code: FindingCode,
        field: impl Into<String>,
        limit: Option<Limit>,
        actual: Actual,
        message: String,
    ) -> Self {
        Self {
            severity: code.severity(),
            code,
            field: field.into(),
            limit,
            actual,
            message,
            help: None,
        }
    }

    /// Converts an error on the successor of the older route into a warning.
    pub(crate) fn into_successor_warning(self) -> Self {
        let message = format!(
            "would be rejected by the successor of the older route: {}",
            self.message
        );
        Self {
            severity: FindingCode::RejectedBySuccessor.severity(),
            code: FindingCode::RejectedBySuccessor,
            message,
            ..self
        }
    }

    pub(crate) fn with_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    /// The severity: error or warning.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Whether the finding prevents the request from being sent.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The code of the rule.
    pub fn code(&self) -> FindingCode {
        self.code
    }

    /// The field, by its name in the JSON body. Within lists and objects it is a path, such as
    /// `elements[0].frontal_image_url`.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// The allowed values, if the rule has a limit.
    pub fn limit(&self) -> Option<&Limit> {
        self.limit.as_ref()
    }

    /// The actual value.
    pub fn actual(&self) -> &Actual {
        &self.actual
    }

    /// The description of the finding, without field and code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to fix the finding, if the message does not say it: for a file, a command such as `ffmpeg …`.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} [{}]",
            label(&self.field),
            self.message,
            self.code
        )
    }
}

/// The name of a field in the JSON body, preceded by its name in the builder if the two differ.
fn label(field: &str) -> Cow<'_, str> {
    let named = match field.split(['[', '.']).next() {
        Some("video_url") => "reference video",
        Some("image_url") => "start frame",
        Some("start_image_url") => "first frame",
        Some("end_image_url") => "end frame",
        Some("image_urls") => "reference images",
        Some("multi_prompt") => "shots",
        _ => return field.into(),
    };
    format!("{named} ({field})").into()
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// The request violates a rule of the API and is not sent.
    Error,
    /// The request is valid, but likely a mistake.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $severity:ident;)*) => {
        /// The code of a rule. The text of a code is stable from 0.1 on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[cfg_attr(feature = "schemars", derive(JsonSchema))]
        #[non_exhaustive]
        pub enum FindingCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl FindingCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The text of the code, in kebab case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The severity of findings with this code.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// A required field is not set.
    MissingField = "missing-field", Error;
    /// A text is shorter than allowed.
    TextTooShort = "text-too-short", Error;
    /// A text is longer than allowed, counted in Unicode code points.
    TextTooLong = "text-too-long", Error;
    /// A number is below the minimum.
    BelowMinimum = "below-minimum", Error;
    /// A number is above the maximum.
    AboveMaximum = "above-maximum", Error;
    /// A number is NaN or infinite, which JSON cannot represent.
    NotFinite = "not-finite", Error;
    /// A value is not one of the allowed values.
    UnsupportedValue = "unsupported-value", Error;
    /// A list has fewer items than allowed.
    TooFewItems = "too-few-items", Error;
    /// A list has more items than allowed, alone or together with another list.
    TooManyItems = "too-many-items", Error;
    /// A URL is not an absolute http or https URL, or has unescaped characters.
    InvalidUrl = "invalid-url", Error;
    /// The route does not have the field. The service ignores it, and charges for a video without it.
    UnsupportedField = "unsupported-field", Error;
    /// The route does not support the tier.
    UnsupportedTier = "unsupported-tier", Error;
    /// A prompt and shots are combined with a start frame, which allows only one of them.
    PromptConflictsWithShots = "prompt-conflicts-with-shots", Error;
    /// A local file cannot be read.
    FileUnreadable = "file-unreadable", Error;
    /// A file is damaged or truncated.
    FileCorrupt = "file-corrupt", Error;
    /// The content of a file does not have an allowed format, whatever its name, or has no picture.
    UnsupportedFormat = "unsupported-format", Error;
    /// A file has more bytes than allowed.
    FileTooLarge = "file-too-large", Error;
    /// A video is shorter than allowed.
    VideoTooShort = "video-too-short", Error;
    /// A video is longer than allowed.
    VideoTooLong = "video-too-long", Error;
    /// A picture has fewer pixels on its sides than allowed.
    DimensionsTooSmall = "dimensions-too-small", Error;
    /// A picture has more pixels on its sides than allowed.
    DimensionsTooLarge = "dimensions-too-large", Error;
    /// A video has fewer frames per second than allowed.
    FrameRateTooLow = "frame-rate-too-low", Error;
    /// A video has more frames per second than allowed.
    FrameRateTooHigh = "frame-rate-too-high", Error;
    /// The prompt is missing or empty.
    MissingPrompt = "missing-prompt", Warning;
    /// No prompt mentions a reference video, a reference image or an element, as `@Video1`, `@Image1` or `@Element1`.
    ReferenceNotMentioned = "reference-not-mentioned", Warning;
    /// A prompt mentions a reference that does not exist, such as `@Video2`, or `@Video1` without a reference video.
    UnknownReference = "unknown-reference", Warning;
    /// The successor route rejects what the older route accepts, so the request cannot fall back to it. The vendor's
    /// newer documents omit the older route.
    RejectedBySuccessor = "rejected-by-successor", Warning;
    /// A URL has a file extension that is not one of the allowed formats.
    UnsupportedExtension = "unsupported-extension", Warning;
    /// The aspect ratio follows the input, but the request has no input to follow.
    AutoRatioWithoutInput = "auto-ratio-without-input", Warning;
    /// A prompt is combined with shots, which have their own prompts.
    PromptWithShots = "prompt-with-shots", Warning;
    /// A shot type is set without shots.
    ShotTypeWithoutShots = "shot-type-without-shots", Warning;
    /// Two fields set the first frame of the video.
    DuplicateStartFrame = "duplicate-start-frame", Warning;
    /// An end frame is set without a start frame.
    EndFrameWithoutStartFrame = "end-frame-without-start-frame", Warning;
    /// A file violates a limit in one interpretation and conforms to it in another. The vendor does not say which one
    /// applies.
    LimitAmbiguous = "limit-ambiguous", Warning;
    /// A file violates a rule of its format that players tolerate. The service may not.
    FileNonconforming = "file-nonconforming", Warning;
    /// Some or all properties of a file could not be determined.
    InspectionIncomplete = "inspection-incomplete", Warning;
    /// The name of a file has another format than its content.
    ExtensionMismatch = "extension-mismatch", Warning;
    /// The aspect ratio of the video differs from that of its input.
    AspectRatioMismatch = "aspect-ratio-mismatch", Warning;
    /// The reference video is much longer than the requested video.
    LongReferenceVideo = "long-reference-video", Warning;
    /// An element has no image.
    ElementWithoutImage = "element-without-image", Warning;
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a rule allows.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// At least this value.
    AtLeast(f64),
    /// At most this value.
    AtMost(f64),
    /// One of these values.
    OneOf(Vec<&'static str>),
}

/// The value that a request has.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Actual {
    /// No value.
    Missing,
    /// A text with this number of Unicode code points.
    Characters(usize),
    /// A list with this number of items.
    Items(usize),
    /// A number, as text because it may be NaN.
    Number(String),
    /// A short value.
    Value(String),
    /// A URL, without user info, query and fragment.
    Url(String),
}

/// All rules that a request violates, and its warnings.
///
/// `Display` writes one line for each finding, errors first.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
pub struct ValidationError {
    findings: Vec<Finding>,
}

impl ValidationError {
    pub(crate) fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// All findings, errors first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.findings.len();
        let noun = if count == 1 { "finding" } else { "findings" };
        write!(f, "the request was not sent, {count} {noun}:")?;
        for finding in &self.findings {
            let mark = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            write!(f, "\n  {mark}: {finding}")?;
            if let Some(help) = &finding.help {
                write!(f, "\n    help: {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ValidationError {}

/// A parameter that the service rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InvalidParam {
    /// The name of the parameter in the JSON body.
    pub name: String,
    /// The reason of the service.
    pub reason: String,
}

impl InvalidParam {
    pub(crate) fn new(name: String, reason: String) -> Self {
        Self { name, reason }
    }
}
