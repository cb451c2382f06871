//! What has to be true of a probe of any bytes at all, for tests and fuzzers that make up bytes.

use crate::limits::Limits;
use crate::media_info::MediaInfo;
use crate::prober::{Prober, Step};
use crate::problem::Severity;
use crate::source::probe_bytes;

/// A probe holds a box that it looks into, and this much besides.
const BESIDES: usize = 3 << 20;

/// Probes bytes as a slice, as a remote file, in small answers and as a stream.
///
/// # Panics
///
/// When these disagree, when a limit is not kept, or when nothing says why something is not known.
pub fn check(bytes: &[u8]) -> MediaInfo {
    let whole = probe_bytes(bytes);
    is_explained(&whole);

    let remote = ranged(bytes, Limits::remote(), usize::MAX);
    is_explained(&remote);
    if remote.of(Severity::Unknown).next().is_none() {
        assert_eq!(
            remote, whole,
            "what a remote file shows is what the file shows"
        );
    }

    let patient = Limits::local().with_requests(u32::MAX);
    assert_eq!(
        ranged(bytes, patient, 4000.max(bytes.len() / 100)),
        whole,
        "small answers show the same"
    );

    for (chunk, knows_length) in [(777, true), (40_000, true), (777, false)] {
        let streamed = streamed(bytes, Limits::local(), chunk, knows_length);
        is_explained(&streamed);
        if knows_length {
            assert_eq!(streamed, whole, "a stream shows the same");
        }
        assert_eq!(streamed.format, whole.format);
        assert_eq!(streamed.image, whole.image);
    }

    let small = Limits::remote().with_index(1000).with_bytes(2000);
    is_explained(&ranged(bytes, small, usize::MAX));
    whole
}

/// A source of ranges that answers with so many bytes at most.
fn ranged(bytes: &[u8], limits: Limits, most: usize) -> MediaInfo {
    let total = bytes.len() as u64;
    let mut prober = Prober::new(limits);
    prober.set_total(total);
    let (mut requests, mut fed, mut before) = (0, 0, 0);
    while let Some(range) = prober.request() {
        assert!(
            range.start < range.end && range.end <= total,
            "{range:?} is in the file"
        );
        assert!(range.start >= before, "it goes on, never back");
        before = range.start;
        let part = &bytes[range.start as usize..range.end as usize];
        let part = &part[..part.len().min(most)];
        prober.feed(range.start, part);
        requests += 1;
        fed += part.len() as u64;
        keeps_limits(&prober, limits, requests, fed);
    }
    prober.finish()
}

/// A source that gives all that there is, from the beginning and in pieces.
fn streamed(bytes: &[u8], limits: Limits, chunk: usize, knows_length: bool) -> MediaInfo {
    let mut prober = Prober::new(limits);
    if knows_length {
        prober.set_total(bytes.len() as u64);
    }
    let mut offset = 0;
    for chunk in bytes.chunks(chunk) {
        if prober.feed(offset, chunk) == Step::Done {
            break;
        }
        offset += chunk.len() as u64;
        keeps_limits(&prober, limits, 0, offset);
    }
    if offset == bytes.len() as u64 {
        prober.set_total(offset);
    }
    prober.finish()
}

fn keeps_limits(prober: &Prober, limits: Limits, requests: u32, fed: u64) {
    assert!(requests <= limits.requests && prober.requests() == requests);
    assert!(fed <= limits.bytes && prober.bytes() == fed);
    assert!(prober.held() <= limits.index as usize + BESIDES);
}

fn is_explained(probed: &MediaInfo) {
    let is_known = match (&probed.video, &probed.image) {
        (Some(video), None) => {
            video.duration.is_some()
                && video.display.is_some()
                && video.frame_rate.is_some()
                && probed.has_audio.is_some()
        }
        (None, Some(_)) => true,
        _ => false,
    };
    assert!(
        is_known || !probed.problems.is_empty(),
        "{probed:?} does not say why"
    );
    assert!(probed.problems.len() <= 16);
}
