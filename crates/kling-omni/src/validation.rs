//! Findings: what is wrong with a request, by code, field and limit.

use std::borrow::Cow;
use std::fmt;

#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::Serialize;

/// One rule that a request breaks, or one thing about it that looks like a mistake.
///
/// As data it names the field, the rule, its limit and the actual value; a long text is given by its length and a URL
/// without its query. `Display` says the same in a sentence.
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

    /// The warning of what would be an error on the successor of the older route.
    pub(crate) fn of_successor(self) -> Self {
        let message = format!(
            "would be refused by the older route's successor: {}",
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

    /// Whether the request cannot be sent, or merely looks wrong.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Whether the request cannot be sent because of this.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Stable name of the rule.
    pub fn code(&self) -> FindingCode {
        self.code
    }

    /// The field concerned, by its name on the wire. Within lists and objects it is a path, such as
    /// `elements[0].frontal_image_url`.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What the rule allows, where it is a limit.
    pub fn limit(&self) -> Option<&Limit> {
        self.limit.as_ref()
    }

    /// What the request has instead of it.
    pub fn actual(&self) -> &Actual {
        &self.actual
    }

    /// The finding in words, without field and code.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What would mend it, where that is more than the message says: for a file, a command such as `ffmpeg …`.
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

/// The wire name, with the builder's name before it where the two differ.
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

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// The request breaks a rule of the API and is not sent.
    Error,
    /// The request is legal but looks like a mistake.
    Warning,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $severity:ident;)*) => {
        /// Stable name of a rule, for code and for searching. From 0.1 on, no code changes its text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
        #[cfg_attr(feature = "schemars", derive(JsonSchema))]
        #[non_exhaustive]
        pub enum FindingCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl FindingCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as text, in kebab case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Whether findings of this code stop a request.
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    /// A field that the route requires is not set.
    MissingField = "missing-field", Error;
    /// A text is shorter than allowed.
    TextTooShort = "text-too-short", Error;
    /// A text is longer than allowed, counted in Unicode code points.
    TextTooLong = "text-too-long", Error;
    /// A number is below the least allowed value.
    BelowMinimum = "below-minimum", Error;
    /// A number is above the greatest allowed value.
    AboveMaximum = "above-maximum", Error;
    /// A number is NaN or infinite, which JSON cannot carry.
    NotFinite = "not-finite", Error;
    /// A value is none of the allowed ones.
    UnsupportedValue = "unsupported-value", Error;
    /// A list has fewer items than allowed.
    TooFewItems = "too-few-items", Error;
    /// A list has more items than allowed, or several lists have together.
    TooManyItems = "too-many-items", Error;
    /// A URL is not an absolute http or https URL, or has characters that a URL has to escape.
    InvalidUrl = "invalid-url", Error;
    /// The route has no field of this name. The service ignores such a field, and charges for a video without it.
    UnsupportedField = "unsupported-field", Error;
    /// The tier does not exist on the route that was chosen.
    UnsupportedTier = "unsupported-tier", Error;
    /// A prompt and shots stand beside a start frame, which goes with one of the two.
    PromptConflictsWithShots = "prompt-conflicts-with-shots", Error;
    /// A file on this machine cannot be read.
    FileUnreadable = "file-unreadable", Error;
    /// A file is damaged or cut off.
    FileCorrupt = "file-corrupt", Error;
    /// A file is none of the formats allowed, whatever its name says, or has no picture.
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
    /// A video has fewer frames in a second than allowed.
    FrameRateTooLow = "frame-rate-too-low", Error;
    /// A video has more frames in a second than allowed.
    FrameRateTooHigh = "frame-rate-too-high", Error;
    /// There is no prompt, or an empty one.
    MissingPrompt = "missing-prompt", Warning;
    /// There is a reference video, a reference image or an element, and no prompt mentions it, as `@Video1`, `@Image1` or
    /// `@Element1`.
    ReferenceNotMentioned = "reference-not-mentioned", Warning;
    /// A prompt mentions a reference that does not exist, such as `@Video2`, or `@Video1` without a reference video.
    UnknownReference = "unknown-reference", Warning;
    /// The successor route refuses what the older one takes, so the request cannot fall through to it. The vendor's
    /// newer documents leave the older route out.
    RejectedBySuccessor = "rejected-by-successor", Warning;
    /// A URL ends in a file extension that is none of the allowed formats.
    UnsupportedExtension = "unsupported-extension", Warning;
    /// The shape is to follow the input, and there is no input to follow.
    AutoRatioWithoutInput = "auto-ratio-without-input", Warning;
    /// A prompt stands beside shots that have prompts of their own.
    PromptWithShots = "prompt-with-shots", Warning;
    /// It is said how shots are made into a video, and there are none.
    ShotTypeWithoutShots = "shot-type-without-shots", Warning;
    /// Two fields name the frame that the video starts with.
    DuplicateStartFrame = "duplicate-start-frame", Warning;
    /// There is an end frame without a start frame.
    EndFrameWithoutStartFrame = "end-frame-without-start-frame", Warning;
    /// A file breaks a limit as it is read one way, and keeps to it as it is read another; the vendor does not say which way
    /// is meant.
    LimitAmbiguous = "limit-ambiguous", Warning;
    /// A file breaks a rule of its format, and players read it all the same; the service may not.
    FileNonconforming = "file-nonconforming", Warning;
    /// Something about a file could not be found out, or not all of it.
    InspectionIncomplete = "inspection-incomplete", Warning;
    /// The name of a file says another format than its content.
    ExtensionMismatch = "extension-mismatch", Warning;
    /// The shape of the video to make is unlike that of what it is made from.
    AspectRatioMismatch = "aspect-ratio-mismatch", Warning;
    /// The reference video is much longer than the video to make.
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
    /// At least this much.
    AtLeast(f64),
    /// At most this much.
    AtMost(f64),
    /// One of these values.
    OneOf(Vec<&'static str>),
}

/// What the request has in place of what is allowed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Actual {
    /// Nothing.
    Missing,
    /// A text of so many Unicode code points.
    Characters(usize),
    /// A list of so many items.
    Items(usize),
    /// A number; as text, since it may be NaN.
    Number(String),
    /// A short value.
    Value(String),
    /// A URL, without user info, query and fragment.
    Url(String),
}

/// Every rule that a request breaks, with the warnings beside them.
///
/// `Display` lists one finding on a line, errors first.
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
        write!(
            f,
            "the request was stopped before it could cost anything, {count} {noun}:"
        )?;
        for finding in &self.findings {
            let mark = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            write!(f, "\n  {mark}: {finding}")?;
            if let Some(help) = &finding.help {
                write!(f, "\n    {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ValidationError {}

/// A parameter that the service refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InvalidParam {
    /// Name of the parameter on the wire.
    pub name: String,
    /// The service's reason.
    pub reason: String,
}

impl InvalidParam {
    pub(crate) fn new(name: String, reason: String) -> Self {
        Self { name, reason }
    }
}
