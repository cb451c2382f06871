//! Checks what a file was found to be against what the API's document says about it.
//!
//! The vendor's words can be read in more than one way. Only what breaks a limit in every way is an error.

use std::time::Duration;

use kling_omni_api::{Field, Media, MediaKind, Span};
use media_probe::{Format, FrameRate, Kind, MediaInfo, Problem, Severity, Size};

use crate::media_field::MediaField;
use crate::preflight::fix::Fix;
use crate::preflight::inspected_file::{InspectResult, InspectedFile, declared_format};
use crate::validation::{Actual, Finding, FindingCode, Limit};

/// Everything about one file that breaks a rule of `fields`, the rules of a route.
pub(super) fn check_file(file: &InspectedFile, fields: &[Field]) -> Vec<Finding> {
    let rules = file.field.rule(fields).and_then(|field| field.media);
    let mut checker = RuleChecker {
        field: file.field,
        findings: Vec::new(),
        fix: Fix::new(&file.source, rules),
    };
    let mut add = |code, reason: &str| checker.add(code, None, Actual::Missing, reason);
    match &file.result {
        InspectResult::Unreadable(reason) => add(FindingCode::FileUnreadable, reason),
        InspectResult::Unknown(reason) => add(FindingCode::InspectionIncomplete, reason),
        InspectResult::Probed(probed) => {
            checker.file(probed, declared_format(&file.source), rules);
        }
    }
    checker.finish()
}

/// Says that a file was not checked, if no route has a rule about the files of its field.
pub(super) fn not_checked<'a>(
    field: MediaField,
    mut limits: impl Iterator<Item = &'a [Field]>,
) -> Option<Finding> {
    let has_rules =
        |fields| MediaField::rule(field, fields).is_some_and(|rules| rules.media.is_some());
    (!limits.any(has_rules)).then(|| {
        Finding::new(
            FindingCode::InspectionIncomplete,
            field,
            None,
            Actual::Missing,
            "is not checked: the API document has no rules for its file".to_owned(),
        )
    })
}

/// Collects the findings about one file.
struct RuleChecker {
    field: MediaField,
    findings: Vec<Finding>,
    fix: Fix,
}

/// Something that is measured of a file, and the span that it has to be in. Of each value, the first reading is to the
/// letter, and the second one as lenient as the vendor's words allow.
struct RangeCheck<'a> {
    span: Span,
    unit: &'a str,
    /// What is compared with the least value.
    low: [f64; 2],
    /// What is compared with the greatest value.
    high: [f64; 2],
    /// Below the least value, and above the greatest.
    codes: [FindingCode; 2],
    /// A value as it is given, and in a sentence.
    tell: &'a dyn Fn(f64) -> [String; 2],
    /// What the two readings are.
    readings: &'a str,
    /// What brings it up to the least value, and down to the greatest.
    fix: [FixFn<'a>; 2],
}

type FixFn<'a> = &'a dyn Fn(&mut Fix, f64);

const MEBIBYTE: f64 = 1_048_576.0;

/// The readings of a value that may be meant rounded.
const TO_THE_LETTER: &str = "to the letter; rounded to a whole number it would be within";

impl RuleChecker {
    fn add(&mut self, code: FindingCode, limit: Option<Limit>, given: Actual, message: &str) {
        self.findings.push(Finding::new(
            code,
            self.field,
            limit,
            given,
            message.to_owned(),
        ));
    }

    fn file(&mut self, probed: &MediaInfo, declared: Option<Format>, rules: Option<Media>) {
        if let Some(format) = probed.format {
            self.fix.is(format);
        }
        let kind = rules.map(|rules| rules.kind);
        for problem in &probed.problems {
            self.problem(problem, kind);
        }
        if let Some(rules) = rules {
            self.format(probed, rules.formats, rules.kind);
        }
        self.name(probed, declared);
        // Without rules in the document, only damage and a wrong name can be told.
        let Some(rules) = rules else { return };
        let kind = rules.kind;
        let size = match kind {
            MediaKind::Video => probed
                .video
                .as_ref()
                .and_then(|video| video.display.or(video.coded)),
            MediaKind::Image => probed.image.as_ref().map(|image| image.display),
        };
        if let Some(bytes) = probed.bytes {
            self.bytes(bytes, size, &rules);
        }
        if let Some(size) = size {
            self.size(size, &rules);
        }
        if kind == MediaKind::Video {
            let track = probed.video.as_ref().and_then(|video| video.duration);
            if let Some(whole) = probed.duration.or(track) {
                self.seconds(whole, track.unwrap_or(whole), &rules);
            }
            if let Some(rate) = probed.video.as_ref().and_then(|video| video.frame_rate) {
                self.rate(rate, &rules);
            }
        }
    }

    fn problem(&mut self, problem: &Problem, kind: Option<MediaKind>) {
        let code = match problem.severity {
            Severity::Unsupported if kind.is_none() => return,
            Severity::Corrupt => FindingCode::FileCorrupt,
            Severity::Unsupported => FindingCode::UnsupportedFormat,
            Severity::Unusual => FindingCode::FileNonconforming,
            Severity::Note => return,
            _ => FindingCode::InspectionIncomplete,
        };
        let wanted = match kind {
            Some(MediaKind::Video) => "video",
            _ => "image",
        };
        let message = match code {
            FindingCode::UnsupportedFormat => {
                format!("is no {wanted} that the service takes: {problem}")
            }
            _ => problem.to_string(),
        };
        self.add(code, None, Actual::Missing, &message);
    }

    fn format(&mut self, probed: &MediaInfo, formats: &'static [&'static str], kind: MediaKind) {
        let Some(format) = probed.format else { return };
        let wanted = match kind {
            MediaKind::Video => Kind::Video,
            MediaKind::Image => Kind::Image,
        };
        let named = |extension: &&str| Format::of_path(format!("x.{extension}")) == Some(format);
        let is_allowed = match formats {
            [] => format.kind() == wanted,
            formats => formats.iter().any(named),
        };
        // Problems have told already why it cannot be.
        let is_told = self
            .findings
            .iter()
            .any(|finding| finding.code() == FindingCode::UnsupportedFormat);
        if is_allowed || is_told {
            return;
        }
        self.fix.convert();
        let allowed = match formats {
            [] => "images".to_owned(),
            formats => formats.join(", "),
        };
        self.add(
            FindingCode::UnsupportedFormat,
            Some(Limit::OneOf(formats.to_vec())),
            Actual::Value(format.to_string()),
            &format!("is {format} by its content, the service takes {allowed}"),
        );
    }

    fn name(&mut self, probed: &MediaInfo, declared: Option<Format>) {
        let Some(mismatch) = probed.mismatch(declared) else {
            return;
        };
        if !mismatch.is_close() {
            self.add(
                FindingCode::ExtensionMismatch,
                None,
                Actual::Value(mismatch.declared.to_string()),
                &format!(
                    "is {} by its name and {} by its content",
                    mismatch.declared, mismatch.found
                ),
            );
        }
    }

    fn bytes(&mut self, bytes: u64, picture: Option<Size>, rules: &Media) {
        let bytes = bytes as f64;
        let size = format!("{:.1} MB", bytes / 1e6);
        self.range(&RangeCheck {
            // No least size is documented, and no finding has a name for less.
            span: Span {
                minimum: None,
                ..rules.megabytes
            },
            unit: " MB",
            low: [bytes / MEBIBYTE, bytes / 1e6],
            high: [bytes / 1e6, bytes / MEBIBYTE],
            codes: [FindingCode::FileTooLarge; 2],
            tell: &|_| [size.clone(), format!("has {size}")],
            readings: "if a megabyte is 10⁶ bytes; with 2²⁰ it would be within",
            fix: [&|_, _| {}, &|fix, _| fix.shrink(picture)],
        });
    }

    /// The service gives whole seconds, so that they may be meant rounded; and a container may be longer than its video.
    fn seconds(&mut self, whole: Duration, track: Duration, rules: &Media) {
        let [whole, track] = [whole, track].map(|time| time.as_secs_f64());
        let (shortest, longest) = (whole.min(track), whole.max(track));
        let readings = if shortest < longest {
            "to the letter; rounded to a whole number, or without what only the sound lasts, it would be within"
        } else {
            TO_THE_LETTER
        };
        self.range(&RangeCheck {
            span: rules.seconds,
            unit: " s",
            low: [shortest, longest.round()],
            high: [longest, shortest.round()],
            codes: [FindingCode::VideoTooShort, FindingCode::VideoTooLong],
            tell: &|seconds| {
                let given = format!("{} s", plain(seconds));
                let message = format!("lasts {given}");
                [given, message]
            },
            readings,
            fix: [&|fix, least| fix.lengthen(least), &|fix, most| {
                fix.cut(most)
            }],
        });
    }

    fn rate(&mut self, rate: FrameRate, rules: &Media) {
        let average = rate.average.as_f64();
        let how = if rate.is_variable {
            " on the average"
        } else {
            ""
        };
        self.range(&RangeCheck {
            span: rules.frames_per_second,
            unit: "",
            low: [average, average.round()],
            high: [average, average.round()],
            codes: [FindingCode::FrameRateTooLow, FindingCode::FrameRateTooHigh],
            tell: &|average| {
                let message = format!("has {} frames a second{how}", plain(average));
                [rate.average.to_string(), message]
            },
            readings: TO_THE_LETTER,
            fix: [&Fix::pace, &Fix::pace],
        });
    }

    /// Of a video nobody says which side is meant: both, or either. An image is described by both.
    fn size(&mut self, size: Size, rules: &Media) {
        let [short, long] =
            [size.width.min(size.height), size.width.max(size.height)].map(f64::from);
        let (low, high) = match rules.kind {
            MediaKind::Video => ([short, long], [long, short]),
            MediaKind::Image => ([short; 2], [long; 2]),
        };
        self.range(&RangeCheck {
            span: rules.pixels,
            unit: "",
            low,
            high,
            codes: [
                FindingCode::DimensionsTooSmall,
                FindingCode::DimensionsTooLarge,
            ],
            tell: &|_| [size.to_string(), format!("is {size} pixels")],
            readings: "if that is meant for each side; one side would do",
            fix: [&|fix, least| fix.widen(size, least), &|fix, most| {
                fix.narrow(size, most)
            }],
        });
    }

    /// Checks a value against both ends of its span.
    fn range(&mut self, check: &RangeCheck<'_>) {
        let Span { minimum, maximum } = check.span;
        let [too_low, too_high] = check.codes;
        let [raise, lower] = check.fix;
        if let Some(least) = minimum {
            let kept = check.low.map(|value| value >= least);
            let words = format!("at least {least}{} are needed", check.unit);
            let limit = Limit::AtLeast(least);
            self.report(kept, too_low, limit, check, check.low[0], &words);
            if kept == [false; 2] {
                raise(&mut self.fix, least);
            }
        }
        if let Some(most) = maximum {
            let kept = check.high.map(|value| value <= most);
            let words = format!("at most {most}{} are allowed", check.unit);
            let limit = Limit::AtMost(most);
            self.report(kept, too_high, limit, check, check.high[0], &words);
            if kept == [false; 2] {
                lower(&mut self.fix, most);
            }
        }
    }

    /// An error if the limit is kept in none of its two readings, a warning if in one.
    fn report(
        &mut self,
        kept: [bool; 2],
        code: FindingCode,
        limit: Limit,
        check: &RangeCheck<'_>,
        value: f64,
        words: &str,
    ) {
        let [given, what] = (check.tell)(value);
        let given = Actual::Value(given);
        match kept {
            [true, true] => {}
            [false, false] => self.add(code, Some(limit), given, &format!("{what}, {words}")),
            _ => {
                let message = format!("{what}, {words}, {}", check.readings);
                self.add(FindingCode::LimitAmbiguous, Some(limit), given, &message);
            }
        }
    }

    /// One command that mends all of it stands with the first error. Nothing mends what is broken.
    fn finish(mut self) -> Vec<Finding> {
        let is_broken = |finding: &Finding| finding.code() == FindingCode::FileCorrupt;
        if self.findings.iter().any(is_broken) {
            return self.findings;
        }
        let command = self.fix.command();
        if let Some(first) = self.findings.iter_mut().find(|finding| finding.is_error()) {
            *first = first.clone().with_help(command);
        }
        self.findings
    }
}

/// A number with three decimals at the most.
fn plain(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_without_rules_is_not_checked() {
        const OLDER: &[Field] = &[Field::named("image_url"), Field::named("end_image_url")];
        const SUCCESSOR: &[Field] = &[Field {
            media: Some(Media::of(MediaKind::Image)),
            ..Field::named("image_url")
        }];
        for (field, is_checked) in [
            (MediaField::StartFrame, true),
            (MediaField::EndFrame, false),
            (MediaField::ReferenceVideo, false),
        ] {
            let finding = not_checked(field, [OLDER, SUCCESSOR].into_iter());
            assert_eq!(finding.is_none(), is_checked, "{field}");
        }
    }
}
