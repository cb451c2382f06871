//! Compares the files of a request with each other and with the requested video. All findings are warnings.

use kling_omni_api::Field;
use media_probe::{MediaInfo, Size};
use serde_json::Value;

use crate::media_field::MediaField;
use crate::preflight::inspected_file::InspectedFile;
use crate::request::Request;
use crate::request::aspect_ratio::AspectRatio;
use crate::request::length::default_text;
use crate::validation::{Actual, Finding, FindingCode, Limit};

/// Aspect ratios that differ by a larger factor are visibly different: 4:3 and 16:9 differ by 1.33.
const MAX_RATIO_DIFFERENCE: f64 = 1.2;
/// A reference video that is longer than the requested video by this factor is mostly unused.
const LONG_REFERENCE_FACTOR: f64 = 2.0;

pub(super) fn check_together(
    request: &Request,
    files: &[InspectedFile],
    rules: &[Field],
) -> Vec<Finding> {
    let size = |field| size(files, field);
    let reference = size(MediaField::ReferenceVideo);
    let start = MediaField::START_FRAMES.into_iter().find_map(size);
    let end = size(MediaField::EndFrame);
    let mut findings: Vec<_> = long_reference(request, files, rules).into_iter().collect();
    findings.extend(
        rules
            .iter()
            .filter_map(|rules| unused_by_option(request, files, rules)),
    );
    if let (Some((_, reference)), Some((field, start))) = (reference, start) {
        findings.extend(ratio_mismatch(
            field,
            start,
            "the reference video",
            reference,
        ));
    }
    if let (Some((_, start)), Some((field, end))) = (start, end) {
        findings.extend(ratio_mismatch(field, end, "the start frame", start));
    }
    if let Some((field, followed)) = reference.or(start) {
        findings.extend(output_ratio_mismatch(request, field, followed, rules));
    }
    findings
}

fn probed(files: &[InspectedFile], field: MediaField) -> Option<&MediaInfo> {
    files.iter().find(|file| file.field == field)?.probed()
}

/// The picture size of the file of a field, with that field.
fn size(files: &[InspectedFile], field: MediaField) -> Option<(MediaField, Size)> {
    let probed = probed(files, field)?;
    let video = probed.video.as_ref().and_then(|video| video.display);
    let image = probed.image.as_ref().map(|image| image.display);
    Some((field, video.or(image)?))
}

fn long_reference(request: &Request, files: &[InspectedFile], rules: &[Field]) -> Option<Finding> {
    let field = MediaField::ReferenceVideo;
    let actual = probed(files, field)?.duration?.as_secs_f64();
    let requested = request.duration().map_or_else(
        || default(rules, "duration")?.parse().ok(),
        |seconds| Some(f64::from(seconds)),
    )?;
    (actual >= requested * LONG_REFERENCE_FACTOR).then(|| {
        Finding::new(
            FindingCode::LongReferenceVideo,
            field,
            Some(Limit::AtMost(requested)),
            Actual::Value(format!("{actual:.1} s")),
            format!(
                "lasts {actual:.1} s for a video of {requested} s, so most of it may be unused"
            ),
        )
    })
}

/// Checks whether the value of a field limits how much of the reference video is used. Whether the service rejects a
/// longer one is not documented.
fn unused_by_option(request: &Request, files: &[InspectedFile], rules: &Field) -> Option<Finding> {
    let name = rules.name;
    let value = request.body().get(name).and_then(Value::as_str);
    let value = value.or_else(|| default_text(rules))?;
    let mut spans = rules.output_seconds.iter();
    let (_, span) = spans.find(|(limited, _)| *limited == value)?;
    let max = span.maximum?;
    let field = MediaField::ReferenceVideo;
    let actual = probed(files, field)?.duration?.as_secs_f64();
    (actual > max).then(|| {
        Finding::new(
            FindingCode::LongReferenceVideo,
            field,
            Some(Limit::AtMost(max)),
            Actual::Value(format!("{actual:.1} s")),
            format!(
                "lasts {actual:.1} s, but the video is at most {max} s with {name} {value}, so the rest is unused"
            ),
        )
    })
}

fn ratio_mismatch(field: MediaField, actual: Size, other: &str, size: Size) -> Option<Finding> {
    (distance(ratio(actual), ratio(size)) > MAX_RATIO_DIFFERENCE).then(|| {
        Finding::new(
            FindingCode::AspectRatioMismatch,
            field,
            None,
            Actual::Value(actual.to_string()),
            format!("is {actual} but {other} is {size}, so one of them is cropped or distorted"),
        )
    })
}

/// Compares the requested aspect ratio with that of the input.
fn output_ratio_mismatch(
    request: &Request,
    field: MediaField,
    followed: Size,
    rules: &[Field],
) -> Option<Finding> {
    let requested = match request.aspect_ratio() {
        Some(ratio) => ratio.as_str(),
        None => default(rules, "aspect_ratio")?,
    };
    let (wide, high) = requested.split_once(':')?;
    let output = wide.parse::<f64>().ok()? / high.parse::<f64>().ok()?;
    (distance(ratio(followed), output) > MAX_RATIO_DIFFERENCE).then(|| {
        let by_default = match request.aspect_ratio() {
            Some(_) => "",
            None => " by default",
        };
        Finding::new(
            FindingCode::AspectRatioMismatch,
            "aspect_ratio",
            None,
            Actual::Value(requested.to_owned()),
            format!(
                "is {requested}{by_default} but {field} is {followed}; {} follows the input",
                AspectRatio::Auto
            ),
        )
    })
}

fn default(rules: &[Field], name: &str) -> Option<&'static str> {
    default_text(rules.iter().find(|field| field.name == name)?)
}

fn ratio(size: Size) -> f64 {
    f64::from(size.width.max(1)) / f64::from(size.height.max(1))
}

fn distance(one: f64, other: f64) -> f64 {
    (one / other).max(other / one)
}
