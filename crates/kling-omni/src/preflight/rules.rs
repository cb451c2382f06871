//! What a file was found to be, held against what the API's document says about it.
//!
//! The vendor's words can be read in more than one way. Only what breaks a limit in every way is an error.

use std::time::Duration;

use kling_omni_api::{Field, Media, MediaKind};
use kling_omni_probe::{Format, FrameRate, Kind, Probed, Problem, Severity, Size};

use super::fix::Fix;
use super::looked::{Looked, Seen};
use crate::request::{Finding, FindingCode, Given, Limit};

/// Everything about one file that breaks a rule of `fields`, the rules of a route.
pub(super) fn of_file(looked: &Looked, fields: &[Field]) -> Vec<Finding> {
    let rules = field(&looked.at, fields).and_then(|field| field.media);
    let mut judge = Judge {
        at: &looked.at,
        findings: Vec::new(),
        fix: Fix::new(&looked.source, rules),
    };
    match &looked.seen {
        Seen::Unreadable(why) => judge.add(FindingCode::MediaUnreadable, None, Given::Nothing, why),
        Seen::Unknown(why) => judge.add(FindingCode::MediaNotChecked, None, Given::Nothing, why),
        Seen::Probed(probed) => judge.file(probed, looked, rules),
    }
    judge.finish()
}

/// The rules of a place such as `elements[0].frontal_image_url`.
fn field<'a>(at: &str, fields: &'a [Field]) -> Option<&'a Field> {
    let (name, rest) = match at.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (at, None),
    };
    let name = name.split('[').next().unwrap_or(name);
    let field = fields.iter().find(|field| field.name == name)?;
    let one = field.items.unwrap_or(field);
    match rest {
        Some(rest) => self::field(rest, one.fields),
        None => Some(one),
    }
}

/// Collects the findings about one file.
struct Judge<'a> {
    at: &'a str,
    findings: Vec<Finding>,
    fix: Fix,
}

/// How a number stands to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Kept,
    /// Kept as one reads the limit, broken as another does.
    Unclear,
    Broken,
}

impl Verdict {
    /// Of a limit that is kept or broken in each of its two readings.
    fn of(kept: [bool; 2]) -> Self {
        match kept {
            [true, true] => Self::Kept,
            [false, false] => Self::Broken,
            _ => Self::Unclear,
        }
    }
}

impl Judge<'_> {
    fn add(&mut self, code: FindingCode, limit: Option<Limit>, given: Given, message: &str) {
        self.findings.push(Finding::new(
            code,
            self.at,
            limit,
            given,
            message.to_owned(),
        ));
    }

    /// Adds what a verdict comes to; `readings` says what the two are.
    fn judge(
        &mut self,
        verdict: Verdict,
        code: FindingCode,
        limit: Limit,
        given: Given,
        message: &str,
        readings: &str,
    ) {
        match verdict {
            Verdict::Kept => {}
            Verdict::Unclear => {
                let message = format!("{message}, {readings}");
                self.add(FindingCode::MediaBorderline, Some(limit), given, &message);
            }
            Verdict::Broken => self.add(code, Some(limit), given, message),
        }
    }

    fn file(&mut self, probed: &Probed, looked: &Looked, rules: Option<Media>) {
        let kind = rules.map_or(MediaKind::Image, |rules| rules.kind);
        for problem in &probed.problems {
            self.problem(problem, kind);
        }
        let formats = rules.map_or(&[][..], |rules| rules.formats);
        self.format(probed, formats, kind);
        self.name(probed, looked);
        let Some(rules) = rules else { return };
        if let Some(bytes) = probed.bytes {
            self.bytes(bytes, &rules);
        }
        let size = match kind {
            MediaKind::Video => probed
                .video
                .as_ref()
                .and_then(|video| video.display.or(video.coded)),
            MediaKind::Image => probed.image.as_ref().map(|image| image.display),
        };
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

    fn problem(&mut self, problem: &Problem, kind: MediaKind) {
        let code = match problem.severity {
            Severity::Broken => FindingCode::MediaBroken,
            Severity::Unsuited => FindingCode::MediaFormat,
            _ => FindingCode::MediaNotChecked,
        };
        let wanted = match kind {
            MediaKind::Video => "video",
            MediaKind::Image => "image",
        };
        let message = match code {
            FindingCode::MediaFormat => format!("is no {wanted} that the service takes: {problem}"),
            _ => problem.to_string(),
        };
        self.add(code, None, Given::Nothing, &message);
    }

    fn format(&mut self, probed: &Probed, formats: &'static [&'static str], kind: MediaKind) {
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
            .any(|finding| finding.code() == FindingCode::MediaFormat);
        if is_allowed || is_told {
            return;
        }
        self.fix.convert();
        let allowed = match formats {
            [] => "images".to_owned(),
            formats => formats.join(", "),
        };
        self.add(
            FindingCode::MediaFormat,
            Some(Limit::OneOf(formats.to_vec())),
            Given::Value(format.to_string()),
            &format!("is {format} by its content, the service takes {allowed}"),
        );
    }

    fn name(&mut self, probed: &Probed, looked: &Looked) {
        let Some(mismatch) = probed.mismatch(looked.declared()) else {
            return;
        };
        if !mismatch.is_close() {
            self.add(
                FindingCode::MisleadingName,
                None,
                Given::Value(mismatch.declared.to_string()),
                &format!(
                    "is {} by its name and {} by its content",
                    mismatch.declared, mismatch.found
                ),
            );
        }
    }

    fn bytes(&mut self, bytes: u64, rules: &Media) {
        let Some(most) = rules.megabytes.maximum else {
            return;
        };
        let bytes = bytes as f64;
        let within = |megabyte: f64| bytes <= most * megabyte;
        let verdict = Verdict::of([within(1e6), within(1_048_576.0)]);
        if verdict == Verdict::Broken {
            self.fix.shrink();
        }
        let size = format!("{:.1} MB", bytes / 1e6);
        self.judge(
            verdict,
            FindingCode::MediaTooHeavy,
            Limit::AtMost(most),
            Given::Value(size.clone()),
            &format!("has {size}, at most {most} MB are allowed"),
            "if a megabyte is 10⁶ bytes; with 2²⁰ it would be within",
        );
    }

    /// The service gives whole seconds, so that they may be meant rounded; and a container may be longer than its video.
    fn seconds(&mut self, whole: Duration, track: Duration, rules: &Media) {
        let [whole, track] = [whole, track].map(|time| time.as_secs_f64());
        let (shortest, longest) = (whole.min(track), whole.max(track));
        let given = || Given::Value(format!("{} s", plain(track)));
        if let Some(least) = rules.seconds.minimum {
            let verdict = Verdict::of([shortest >= least, longest.round() >= least]);
            if verdict == Verdict::Broken {
                self.fix.lengthen(least);
            }
            self.judge(
                verdict,
                FindingCode::VideoTooShort,
                Limit::AtLeast(least),
                given(),
                &format!("lasts {} s, at least {least} s are needed", plain(track)),
                ROUNDED,
            );
        }
        if let Some(most) = rules.seconds.maximum {
            let verdict = Verdict::of([longest <= most, shortest.round() <= most]);
            if verdict == Verdict::Broken {
                self.fix.cut(most);
            }
            self.judge(
                verdict,
                FindingCode::VideoTooLong,
                Limit::AtMost(most),
                given(),
                &format!("lasts {} s, at most {most} s are allowed", plain(track)),
                ROUNDED,
            );
        }
    }

    fn rate(&mut self, rate: FrameRate, rules: &Media) {
        let average = rate.average.as_f64();
        let shown = format!(
            "{} frames a second{}",
            plain(average),
            if rate.is_variable {
                " on the average"
            } else {
                ""
            }
        );
        if let Some(least) = rules.frames_per_second.minimum {
            let verdict = Verdict::of([average >= least, average.round() >= least]);
            if verdict == Verdict::Broken {
                self.fix.pace(least);
            }
            self.judge(
                verdict,
                FindingCode::FrameRateTooLow,
                Limit::AtLeast(least),
                Given::Value(rate.average.to_string()),
                &format!("has {shown}, at least {least} are needed"),
                ROUNDED,
            );
        }
        if let Some(most) = rules.frames_per_second.maximum {
            let verdict = Verdict::of([average <= most, average.round() <= most]);
            if verdict == Verdict::Broken {
                self.fix.pace(most);
            }
            self.judge(
                verdict,
                FindingCode::FrameRateTooHigh,
                Limit::AtMost(most),
                Given::Value(rate.average.to_string()),
                &format!("has {shown}, at most {most} are allowed"),
                ROUNDED,
            );
        }
    }

    /// Of a video nobody says which side is meant: both, or either. An image is described by both.
    fn size(&mut self, size: Size, rules: &Media) {
        let [short, long] =
            [size.width.min(size.height), size.width.max(size.height)].map(f64::from);
        let shown = size.to_string();
        if let Some(least) = rules.pixels.minimum {
            let some = match rules.kind {
                MediaKind::Video => long,
                MediaKind::Image => short,
            };
            let verdict = Verdict::of([short >= least, some >= least]);
            if verdict == Verdict::Broken {
                self.fix.widen(size, least);
            }
            self.judge(
                verdict,
                FindingCode::PictureTooSmall,
                Limit::AtLeast(least),
                Given::Value(shown.clone()),
                &format!("is {shown} pixels, at least {least} are needed"),
                ON_EACH_SIDE,
            );
        }
        if let Some(most) = rules.pixels.maximum {
            let some = match rules.kind {
                MediaKind::Video => short,
                MediaKind::Image => long,
            };
            let verdict = Verdict::of([long <= most, some <= most]);
            if verdict == Verdict::Broken {
                self.fix.narrow(size, most);
            }
            self.judge(
                verdict,
                FindingCode::PictureTooLarge,
                Limit::AtMost(most),
                Given::Value(shown.clone()),
                &format!("is {shown} pixels, at most {most} are allowed"),
                ON_EACH_SIDE,
            );
        }
    }

    /// One command that mends all of it stands with the first error. Nothing mends what is broken.
    fn finish(mut self) -> Vec<Finding> {
        let is_broken = |finding: &Finding| finding.code() == FindingCode::MediaBroken;
        if self.findings.iter().any(is_broken) {
            return self.findings;
        }
        let command = self.fix.command();
        if let Some(first) = self.findings.iter_mut().find(|finding| finding.is_error()) {
            *first = first.clone().with_advice(command);
        }
        self.findings
    }
}

const ROUNDED: &str = "to the letter; rounded to a whole number it would be within";
const ON_EACH_SIDE: &str = "if that is meant for each side; one side would do";

/// A number with three decimals at the most.
fn plain(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
