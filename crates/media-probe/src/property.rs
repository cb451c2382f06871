//! The property that holds for a probe of any bytes, for tests and fuzzers.

use crate::limits::Limits;
use crate::media_info::MediaInfo;
use crate::prober::{Prober, Step};
use crate::problem::Severity;
use crate::source::probe_bytes;

/// The maximum memory of a probe besides the buffered box.
const MAX_OVERHEAD: usize = 3 << 20;

/// Probes bytes as a slice, as a remote file, with small responses, and as a stream.
///
/// # Panics
///
/// Panics if the results differ, a limit is exceeded, or no problem explains an unknown value.
pub fn check(bytes: &[u8]) -> MediaInfo {
    let whole = probe_bytes(bytes);
    assert_explained(&whole);

    let remote = ranged(bytes, Limits::remote(), usize::MAX);
    assert_explained(&remote);
    if remote.problems_with(Severity::Unknown).next().is_none() {
        assert_eq!(remote, whole, "a remote file has the same result");
    }

    let patient = Limits::local().with_requests(u32::MAX);
    assert_eq!(
        ranged(bytes, patient, 4000.max(bytes.len() / 100)),
        whole,
        "small responses have the same result"
    );

    for (chunk, knows_length) in [(777, true), (40_000, true), (777, false)] {
        let streamed = streamed(bytes, Limits::local(), chunk, knows_length);
        assert_explained(&streamed);
        if knows_length {
            assert_eq!(streamed, whole, "a stream has the same result");
        }
        assert_eq!(streamed.format, whole.format);
        assert_eq!(streamed.image, whole.image);
    }

    let small = Limits::remote().with_index(1000).with_bytes(2000);
    assert_explained(&ranged(bytes, small, usize::MAX));
    whole
}

/// Probes through a source that returns at most `max` bytes of a range.
fn ranged(bytes: &[u8], limits: Limits, max: usize) -> MediaInfo {
    let total = bytes.len() as u64;
    let mut prober = Prober::new(limits);
    prober.set_total(total);
    let (mut requests, mut fed, mut before) = (0, 0, 0);
    while let Some(range) = prober.request() {
        assert!(
            range.start < range.end && range.end <= total,
            "{range:?} is in the file"
        );
        assert!(range.start >= before, "ranges are in order");
        before = range.start;
        let part = &bytes[range.start as usize..range.end as usize];
        let part = &part[..part.len().min(max)];
        prober.feed(range.start, part);
        requests += 1;
        fed += part.len() as u64;
        assert_limits(&prober, limits, requests, fed);
    }
    prober.finish()
}

/// Probes through a source that sends everything from the start in chunks.
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
        assert_limits(&prober, limits, 0, offset);
    }
    if offset == bytes.len() as u64 {
        prober.set_total(offset);
    }
    prober.finish()
}

fn assert_limits(prober: &Prober, limits: Limits, requests: u32, fed: u64) {
    assert!(requests <= limits.requests && prober.requests() == requests);
    assert!(fed <= limits.bytes && prober.bytes() == fed);
    assert!(prober.buffered() <= limits.index as usize + MAX_OVERHEAD);
}

fn assert_explained(probed: &MediaInfo) {
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
        "{probed:?} has no problem that explains the unknown values"
    );
    assert!(probed.problems.len() <= 16);
}
