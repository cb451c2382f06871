//! Expensive sources: large files with few transferred bytes, and servers that ignore ranges.

use std::ops::Range;

use media_probe::{Code, Limits, MediaInfo, Prober, Severity, Step};

use crate::expected::{line, stored};
use crate::made::{part, position};

const MB: u64 = 1_000_000;

/// A file with bytes at a few offsets, and zeros elsewhere.
struct Sparse {
    total: u64,
    parts: Vec<(u64, Vec<u8>)>,
}

/// The transferred bytes and requests.
#[derive(Debug, Default)]
struct Traffic {
    requests: u32,
    bytes: u64,
}

impl Sparse {
    /// The sample with `media` bytes of media.
    fn inflated(name: &str, media: u64, more: &[u8]) -> Self {
        let file = stored(name);
        let at = |name| position(&file, name) - 4;
        let header = [&b"\0\0\0\x01mdat"[..], &media.to_be_bytes()].concat();
        let index = [more, &file[at(b"moov")..]].concat();
        let begin = [&file[..at(b"mdat")], &header].concat();
        let moov = at(b"mdat") as u64 + media;
        Self {
            total: moov + index.len() as u64,
            parts: vec![(0, begin), (moov, index)],
        }
    }

    fn read(&self, range: Range<u64>) -> Vec<u8> {
        let mut bytes = vec![0; (range.end.min(self.total) - range.start) as usize];
        for (at, part) in &self.parts {
            for (byte, offset) in part.iter().zip(*at..) {
                if range.contains(&offset) {
                    bytes[(offset - range.start) as usize] = *byte;
                }
            }
        }
        bytes
    }

    /// Serves each requested range.
    fn probe(&self, limits: Limits) -> (MediaInfo, Traffic) {
        let mut prober = Prober::new(limits);
        prober.set_total(self.total);
        let mut moved = Traffic::default();
        while let Some(range) = prober.request() {
            let bytes = self.read(range.clone());
            moved.requests += 1;
            moved.bytes += bytes.len() as u64;
            prober.feed(range.start, &bytes);
        }
        (prober.finish(), moved)
    }
}

#[test]
fn large_file_with_the_index_last_transfers_little() {
    for padding in [0, 100_000, 1 << 20] {
        for name in ["last.mp4", "last.mov"] {
            let small = stored(name);
            let mut file = Sparse::inflated(name, 200 * MB, &[]);
            // A long index has much other data.
            let (at, index) = file.parts.pop().unwrap();
            let index = part(
                b"moov",
                &[&index[8..], &part(b"free", &vec![1; padding])].concat(),
            );
            let length = index.len() as u64;
            file.total = at + length;
            file.parts.push((at, index));

            let (probed, moved) = file.probe(Limits::remote());
            assert_eq!(line(&probed), line(&media_probe::probe_bytes(&small)));
            assert!(moved.requests <= 3, "{moved:?}");
            assert!(
                moved.bytes <= (64 << 10) + length,
                "{moved:?} for an index of {length}"
            );
            assert!(
                moved.bytes * 100 < file.total,
                "{moved:?} of {}",
                file.total
            );
        }
    }
}

#[test]
fn index_first_needs_one_request() {
    let file = stored("first.mp4");
    let media = position(&file, b"mdat") - 4;
    let begin = [&file[..media], b"\0\0\0\x01mdat", &(200 * MB).to_be_bytes()].concat();
    let mut whole = Sparse {
        total: media as u64 + 200 * MB,
        parts: vec![(0, begin)],
    };
    let (probed, moved) = whole.probe(Limits::remote());
    assert_eq!(line(&probed), line(&media_probe::probe_bytes(&file)));
    assert_eq!(moved.requests, 1);
    assert!(moved.bytes <= 32 << 10, "{moved:?}");

    // Only the frames matter.
    for (total, code, is_corrupt) in [
        (whole.total - 1, Code::WrongSize, false),
        (media as u64 + 100, Code::Truncated, true),
    ] {
        whole.total = total;
        let (probed, moved) = whole.probe(Limits::remote());
        assert_eq!(probed.problems[0].code, code, "{probed:?}");
        assert_eq!(probed.is_corrupt(), is_corrupt, "{probed:?}");
        assert_eq!(moved.requests, 1);
    }
}

#[test]
fn index_above_the_limit_is_not_requested() {
    let mut file = Sparse::inflated("last.mp4", MB, &[]);
    let (at, _) = file.parts.pop().unwrap();
    file.parts.push((at, b"\x02\x00\x00\x01moov".to_vec()));
    file.total = at + (32 << 20) + 1;
    let (probed, moved) = file.probe(Limits::remote());
    assert_eq!(probed.problems[0].code, Code::TooLarge);
    assert!(moved.bytes <= 64 << 10, "{moved:?}");

    // With one byte less it is requested: all zeros, which is not an index.
    file.parts[1].1 = b"\x02\x00\x00\x00moov".to_vec();
    file.total -= 1;
    let (probed, moved) = file.probe(Limits::remote());
    assert!(probed.is_corrupt(), "{probed:?}");
    assert!(
        (32 << 20..=(32 << 20) + (64 << 10)).contains(&moved.bytes),
        "{moved:?}"
    );
}

#[test]
fn requests_are_limited() {
    // A box after each default request, so each needs its own request.
    let gap = part(b"free", &vec![0; 40_000]);
    let file = Sparse::inflated("last.mp4", 200 * MB, &gap.repeat(5));
    let (probed, moved) = file.probe(Limits::remote());
    assert_eq!(moved.requests, 3);
    assert_eq!(probed.problems[0].code, Code::LimitReached);
    assert!(!probed.is_corrupt());

    let (probed, moved) = file.probe(Limits::local());
    assert_eq!(probed.problems, []);
    assert!(moved.requests > 3, "{moved:?}");
}

#[test]
fn server_without_ranges_is_read_as_a_stream() {
    // The needed part arrives early: the rest of the response is not read.
    let file = stored("first.mp4");
    let mut prober = Prober::new(Limits::remote());
    prober.set_total(200 * MB);
    let mut fed = 0;
    for chunk in file[..position(&file, b"mdat") + 50].chunks(500) {
        fed += chunk.len();
        if prober.feed((fed - chunk.len()) as u64, chunk) == Step::Done {
            break;
        }
    }
    assert_eq!(prober.bytes(), fed as u64);

    // It arrives late: the caller sees the distance and can stop, or reads on up to the limit.
    let file = Sparse::inflated("last.mp4", 200 * MB, &[]);
    let mut prober = Prober::new(Limits::remote());
    prober.set_total(file.total);
    let range = prober.request().unwrap();
    let step = prober.feed(0, &file.read(range));
    let Step::Need(range) = step else {
        panic!("{step:?}");
    };
    assert!(range.start > 190 * MB, "{range:?}");
    let mut offset = 32 << 10;
    while prober.feed(offset, &vec![0; MB as usize]) != Step::Done {
        offset += MB;
    }
    assert_eq!(prober.request(), None);
    assert!(prober.bytes() <= Limits::remote().bytes + MB);
    assert_eq!(prober.finish().problems[0].code, Code::LimitReached);
}

#[test]
fn entire_file_at_once_is_sufficient() {
    for name in [
        "first.mp4",
        "last.mov",
        "fragmented.mp4",
        "image.jpg",
        "image.png",
    ] {
        let file = stored(name);
        let mut prober = Prober::new(Limits::remote());
        prober.request();
        prober.feed(0, &file);
        prober.set_total(file.len() as u64);
        assert_eq!(prober.step(), Step::Done, "{name}");
        assert_eq!(prober.finish(), media_probe::probe_bytes(&file), "{name}");
    }
}

#[test]
fn unknown_length_is_a_problem() {
    for name in [
        "first.mp4",
        "last.mov",
        "film.mov",
        "image.jpg",
        "image.png",
    ] {
        let file = stored(name);
        let whole = media_probe::probe_bytes(&file);
        let mut prober = Prober::new(Limits::remote());
        while let Some(range) = prober.request() {
            let end = range.end.min(file.len() as u64);
            if range.start >= end {
                prober.set_total(end);
                continue;
            }
            prober.feed(range.start, &file[range.start as usize..end as usize]);
        }
        let total = prober.total();
        let probed = prober.finish();
        assert_eq!(probed.video, whole.video, "{name}");
        assert_eq!(probed.image, whole.image, "{name}");
        let codes: Vec<_> = probed.problems.iter().map(|problem| problem.code).collect();
        match total {
            Some(_) => assert_eq!(codes, [], "{name}"),
            None => assert_eq!(codes, [Code::LengthUnknown], "{name}"),
        }
        assert!(!probed.is_corrupt());
    }
}

#[test]
fn useless_responses_end_as_unknown() {
    let file = stored("last.mp4");
    type Respond = fn(&[u8], Range<u64>) -> (u64, Vec<u8>);
    let answers: [(&str, Respond); 3] = [
        ("nothing", |_, range| (range.start, Vec::new())),
        ("another place", |file, range| {
            (range.end + 1, file.to_vec())
        }),
        ("a byte", |file, range| {
            (range.start, vec![file[range.start as usize]])
        }),
    ];
    for (case, answer) in answers {
        let mut prober = Prober::new(Limits::remote());
        prober.set_total(file.len() as u64);
        let mut requests = 0;
        while let Some(range) = prober.request() {
            let (offset, bytes) = answer(&file, range);
            prober.feed(offset, &bytes);
            requests += 1;
        }
        assert_eq!(requests, 3, "{case}");
        let probed = prober.finish();
        assert_eq!(probed.problems[0].severity, Severity::Unknown, "{case}");
        assert_eq!(probed.format, None, "{case}");
    }
}

#[test]
fn failing_source_is_not_damage() {
    let mut prober = Prober::new(Limits::remote());
    prober.set_total(5000);
    prober.request();
    let probed = prober.finish();
    assert_eq!(probed.problems[0].code, Code::NotRead);
    assert!(!probed.is_corrupt());
}
