//! How the files of a request go with each other and with the video to make. All of it is warnings.

use kling_omni_api::{Field, Scalar};
use media_probe::{MediaInfo, Size};
use serde_json::Value;

use crate::media_field::MediaField;
use crate::preflight::inspected_file::InspectedFile;
use crate::request::Request;
use crate::request::aspect_ratio::AspectRatio;
use crate::validation::{Actual, Finding, FindingCode, Limit};

/// Shapes further apart than this are seen by everyone: 4:3 and 16:9 are 1.33 apart.
const FAR_APART: f64 = 1.2;
/// A reference video that lasts so many times the video to make is mostly left unused.
const MUCH_LONGER: f64 = 2.0;

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
            .filter_map(|rules| partly_used(request, files, rules)),
    );
    if let (Some((_, reference)), Some((field, start))) = (reference, start) {
        findings.extend(unlike(field, start, "the reference video", reference));
    }
    if let (Some((_, start)), Some((field, end))) = (start, end) {
        findings.extend(unlike(field, end, "the start frame", start));
    }
    if let Some((field, followed)) = reference.or(start) {
        findings.extend(other_shape(request, field, followed, rules));
    }
    findings
}

fn probed(files: &[InspectedFile], field: MediaField) -> Option<&MediaInfo> {
    files.iter().find(|file| file.field == field)?.probed()
}

/// The size of the picture of a field, with that field.
fn size(files: &[InspectedFile], field: MediaField) -> Option<(MediaField, Size)> {
    let probed = probed(files, field)?;
    let video = probed.video.as_ref().and_then(|video| video.display);
    let image = probed.image.as_ref().map(|image| image.display);
    Some((field, video.or(image)?))
}

fn long_reference(request: &Request, files: &[InspectedFile], rules: &[Field]) -> Option<Finding> {
    let field = MediaField::ReferenceVideo;
    let given = probed(files, field)?.duration?.as_secs_f64();
    let wanted = request.duration().map_or_else(
        || default(rules, "duration")?.parse().ok(),
        |seconds| Some(f64::from(seconds)),
    )?;
    (given >= wanted * MUCH_LONGER).then(|| {
        Finding::new(
            FindingCode::LongReferenceVideo,
            field,
            Some(Limit::AtMost(wanted)),
            Actual::Value(format!("{given:.1} s")),
            format!("lasts {given:.1} s, and the video to make {wanted} s: much of it may be left unused"),
        )
    })
}

/// A value of a field that limits the video to make limits how much of the reference video is used. That the service refuses
/// a longer one is not documented.
fn partly_used(request: &Request, files: &[InspectedFile], rules: &Field) -> Option<Finding> {
    let name = rules.name;
    let value = request.body().get(name).and_then(Value::as_str);
    let value = value.or_else(|| default(std::slice::from_ref(rules), name))?;
    let mut spans = rules.output_seconds.iter();
    let (_, span) = spans.find(|(limited, _)| *limited == value)?;
    let most = span.maximum?;
    let field = MediaField::ReferenceVideo;
    let given = probed(files, field)?.duration?.as_secs_f64();
    (given > most).then(|| {
        Finding::new(
            FindingCode::LongReferenceVideo,
            field,
            Some(Limit::AtMost(most)),
            Actual::Value(format!("{given:.1} s")),
            format!(
                "lasts {given:.1} s, and the video to make at most {most} s with the {name} {value}: the rest is left \
                 unused"
            ),
        )
    })
}

fn unlike(field: MediaField, given: Size, other: &str, size: Size) -> Option<Finding> {
    (distance(ratio(given), ratio(size)) > FAR_APART).then(|| {
        Finding::new(
            FindingCode::AspectRatioMismatch,
            field,
            None,
            Actual::Value(given.to_string()),
            format!("is {given}, and {other} {size}: one of them will be cropped or distorted"),
        )
    })
}

/// Compares the shape of the video to make with that of what it is made from.
fn other_shape(
    request: &Request,
    field: MediaField,
    followed: Size,
    rules: &[Field],
) -> Option<Finding> {
    let wanted = match request.aspect_ratio() {
        Some(shape) => shape.as_str(),
        None => default(rules, "aspect_ratio")?,
    };
    let (wide, high) = wanted.split_once(':')?;
    let shape = wide.parse::<f64>().ok()? / high.parse::<f64>().ok()?;
    (distance(ratio(followed), shape) > FAR_APART).then(|| {
        let set = match request.aspect_ratio() {
            Some(_) => "",
            None => ", since nothing else is set",
        };
        Finding::new(
            FindingCode::AspectRatioMismatch,
            "aspect_ratio",
            None,
            Actual::Value(wanted.to_owned()),
            format!(
                "is {wanted}{set}, and {field} is {followed}; {} takes the shape of what the video is made from",
                AspectRatio::Auto
            ),
        )
    })
}

fn default(rules: &[Field], name: &str) -> Option<&'static str> {
    match rules.iter().find(|field| field.name == name)?.default? {
        Scalar::Text(text) => Some(text),
        Scalar::Number(_) | Scalar::Flag(_) => None,
    }
}

fn ratio(size: Size) -> f64 {
    f64::from(size.width.max(1)) / f64::from(size.height.max(1))
}

fn distance(one: f64, other: f64) -> f64 {
    (one / other).max(other / one)
}
