//! Checks the properties of a file against the rules of the API's document.
//!
//! Some of the vendor's limits can be interpreted in several ways. A file is an error only if it violates a limit in
//! all of them.

use std::time::Duration;

use kling_omni_api::{Field, Media, MediaKind, Span};
use media_probe::{Format, FrameRate, Kind, MediaInfo, Problem, Severity, Size};

use crate::media_field::MediaField;
use crate::preflight::fix::Fix;
use crate::preflight::inspected_file::{InspectResult, InspectedFile, declared_format};
use crate::validation::{Actual, Finding, FindingCode, Limit};

/// All violations of the rules `fields` of a route by one file.
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

/// Reports that a file was not checked, if no route has rules for files of its field.
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
            "is not checked, because the API document has no rules for its file".to_owned(),
        )
    })
}

/// Collects the findings about one file.
struct RuleChecker {
    field: MediaField,
    findings: Vec<Finding>,
    fix: Fix,
}

/// A measured value and its allowed range. Each value has two readings: literally, and as lenient as the vendor's text
/// allows.
struct RangeCheck<'a> {
    span: Span,
    unit: &'a str,
    /// The readings to compare with the minimum.
    low: [f64; 2],
    /// The readings to compare with the maximum.
    high: [f64; 2],
    /// The codes for a value below the minimum and above the maximum.
    codes: [FindingCode; 2],
    /// Formats a value: alone, and in a message.
    describe: &'a dyn Fn(f64) -> [String; 2],
    /// The difference between the readings, as text.
    readings: &'a str,
    /// Raises the value to the minimum, and lowers it to the maximum.
    fix: [FixFn<'a>; 2],
}

type FixFn<'a> = &'a dyn Fn(&mut Fix, f64);

const MEBIBYTE: f64 = 1_048_576.0;

/// The readings of a value that may be rounded.
const LITERAL_OR_ROUNDED: &str = "unless the limit applies to the rounded value";

impl RuleChecker {
    fn add(&mut self, code: FindingCode, limit: Option<Limit>, actual: Actual, message: &str) {
        self.findings.push(Finding::new(
            code,
            self.field,
            limit,
            actual,
            message.to_owned(),
        ));
    }

    fn file(&mut self, probed: &MediaInfo, declared: Option<Format>, rules: Option<Media>) {
        if let Some(format) = probed.format {
            self.fix.set_format(format);
        }
        let kind = rules.map(|rules| rules.kind);
        for problem in &probed.problems {
            self.problem(problem, kind);
        }
        if let Some(rules) = rules {
            self.format(probed, rules.formats, rules.kind);
        }
        self.name(probed, declared);
        // Without rules in the document, only damage and a wrong name can be detected.
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
            if let Some(container) = probed.duration.or(track) {
                self.seconds(container, track.unwrap_or(container), &rules);
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
            Some(MediaKind::Video) => "a video",
            _ => "an image",
        };
        let message = match code {
            FindingCode::UnsupportedFormat => {
                format!("is not {wanted} that the service accepts: {problem}")
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
        let named = |extension: &&str| Format::from_path(format!("x.{extension}")) == Some(format);
        let is_allowed = match formats {
            [] => format.kind() == wanted,
            formats => formats.iter().any(named),
        };
        // A problem of the file already explains why.
        let is_reported = self
            .findings
            .iter()
            .any(|finding| finding.code() == FindingCode::UnsupportedFormat);
        if is_allowed || is_reported {
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
            &format!("is {format} by its content, the service accepts {allowed}"),
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
            // No minimum is documented, and no code exists for it.
            span: Span {
                minimum: None,
                ..rules.megabytes
            },
            unit: " MB",
            low: [bytes / MEBIBYTE, bytes / 1e6],
            high: [bytes / 1e6, bytes / MEBIBYTE],
            codes: [FindingCode::FileTooLarge; 2],
            describe: &|_| [size.clone(), format!("has {size}")],
            readings: "unless a megabyte means 2²⁰ bytes",
            fix: [&|_, _| {}, &|fix, _| fix.shrink(picture)],
        });
    }

    /// The service states container seconds, which may be rounded, and a container may be longer than its video track.
    fn seconds(&mut self, container: Duration, track: Duration, rules: &Media) {
        let [container, track] = [container, track].map(|time| time.as_secs_f64());
        let (shortest, longest) = (container.min(track), container.max(track));
        let readings = if shortest < longest {
            "unless the limit applies to the rounded value or to the video track alone"
        } else {
            LITERAL_OR_ROUNDED
        };
        self.range(&RangeCheck {
            span: rules.seconds,
            unit: " s",
            low: [shortest, longest.round()],
            high: [longest, shortest.round()],
            codes: [FindingCode::VideoTooShort, FindingCode::VideoTooLong],
            describe: &|seconds| {
                let actual = format!("{} s", format_number(seconds));
                let message = format!("lasts {actual}");
                [actual, message]
            },
            readings,
            fix: [&|fix, min| fix.lengthen(min), &|fix, max| fix.cut(max)],
        });
    }

    fn rate(&mut self, rate: FrameRate, rules: &Media) {
        let average = rate.average.as_f64();
        let how = if rate.is_variable { " on average" } else { "" };
        self.range(&RangeCheck {
            span: rules.frames_per_second,
            unit: "",
            low: [average, average.round()],
            high: [average, average.round()],
            codes: [FindingCode::FrameRateTooLow, FindingCode::FrameRateTooHigh],
            describe: &|average| {
                let message = format!("has {} frames per second{how}", format_number(average));
                [rate.average.to_string(), message]
            },
            readings: LITERAL_OR_ROUNDED,
            fix: [&Fix::set_frame_rate, &Fix::set_frame_rate],
        });
    }

    /// For a video it is not documented which side a limit applies to: both, or one. For an image it applies to both.
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
            describe: &|_| [size.to_string(), format!("is {size} pixels")],
            readings: "unless the limit applies to one side only",
            fix: [
                &|fix, min| fix.scale_shorter_side(size, min),
                &|fix, max| fix.scale_longer_side(size, max),
            ],
        });
    }

    /// Checks a value against both ends of its range.
    fn range(&mut self, check: &RangeCheck<'_>) {
        let Span { minimum, maximum } = check.span;
        let [too_low, too_high] = check.codes;
        let [raise, lower] = check.fix;
        if let Some(min) = minimum {
            let conforms = check.low.map(|value| value >= min);
            let words = format!("at least {min}{} required", check.unit);
            let limit = Limit::AtLeast(min);
            self.report(conforms, too_low, limit, check, check.low[0], &words);
            if conforms == [false; 2] {
                raise(&mut self.fix, min);
            }
        }
        if let Some(max) = maximum {
            let conforms = check.high.map(|value| value <= max);
            let words = format!("at most {max}{} allowed", check.unit);
            let limit = Limit::AtMost(max);
            self.report(conforms, too_high, limit, check, check.high[0], &words);
            if conforms == [false; 2] {
                lower(&mut self.fix, max);
            }
        }
    }

    /// Reports an error if neither reading conforms to the limit, and a warning if one does.
    fn report(
        &mut self,
        conforms: [bool; 2],
        code: FindingCode,
        limit: Limit,
        check: &RangeCheck<'_>,
        value: f64,
        words: &str,
    ) {
        let [actual, what] = (check.describe)(value);
        let actual = Actual::Value(actual);
        match conforms {
            [true, true] => {}
            [false, false] => self.add(code, Some(limit), actual, &format!("{what}, {words}")),
            _ => {
                let message = format!("{what}, {words}, {}", check.readings);
                self.add(FindingCode::LimitAmbiguous, Some(limit), actual, &message);
            }
        }
    }

    /// Adds the command that fixes all findings to the first error. Nothing fixes a corrupt file.
    fn finish(mut self) -> Vec<Finding> {
        let is_corrupt = |finding: &Finding| finding.code() == FindingCode::FileCorrupt;
        if self.findings.iter().any(is_corrupt) {
            return self.findings;
        }
        let command = self.fix.command();
        if let Some(first) = self.findings.iter_mut().find(|finding| finding.is_error()) {
            *first = first.clone().with_help(command);
        }
        self.findings
    }
}

/// Formats a number with at most three decimals.
fn format_number(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_checked_reports_a_field_without_rules() {
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
