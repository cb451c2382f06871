//! Tests of the parts, and of complete videos with a separate decoder.

mod decoder;

use super::bits::BitWriter;
use super::picture::{Colour, Picture};
use super::scene::Scene;
use super::text::{printable, shorten, wrap};
use super::{FRAME_RATE, FrameSize, MAX_SECONDS, TestCard, h264};
use decoder::{BitReader, Decoder};
use mp4_atom::{Avc1, Codec, Decode, FourCC, Ftyp, Header, Moov, StszSamples};

fn sized(wide: u16, high: u16) -> FrameSize {
    FrameSize::with_ratio(wide, high).expect("a supported ratio")
}

fn sizes() -> [FrameSize; 4] {
    [
        FrameSize::WIDESCREEN,
        sized(9, 16),
        sized(1, 1),
        sized(21, 9),
    ]
}

fn card(size: FrameSize, seconds: u32, text: &str) -> TestCard {
    TestCard::new("a test of cards")
        .note("no camera was used")
        .detail("job", "3f0c9a52-8d1e-4b77-9c26-5e1f7a0b4d93")
        .detail("size", size.to_string())
        .text(text)
        .size(size)
        .seconds(seconds)
}

/// Texts that are hard to draw, from empty to longer than any card.
fn hostile_texts() -> Vec<String> {
    vec![
        String::new(),
        " \n\t\r\0\u{7}\u{1b}[31m".into(),
        "👩‍👩‍👧‍👦🏳️‍🌈 a family 🇺🇳".into(),
        "مرحبا بالعالم \u{202E}desrever\u{202C}".into(),
        "日本語の長いプロンプト".repeat(60),
        "e\u{301}\u{302}\u{303}".repeat(500),
        "Q".repeat(10_000),
        "jgpqy|[]{}() ÄÖÜ ".repeat(700),
        "\u{FEFF}\u{FFFD}\u{10FFFF}".into(),
    ]
}

/// A parsed file: its boxes, and its samples.
struct Parsed {
    moov: Moov,
    samples: Vec<Vec<u8>>,
}

fn parse(file: &[u8]) -> Parsed {
    let mut rest = file;
    let ftyp = Ftyp::decode(&mut rest).unwrap();
    assert_eq!(ftyp.major_brand, FourCC::new(b"isom"));
    let moov = Moov::decode(&mut rest).unwrap();
    let mdat = Header::decode(&mut rest).unwrap();
    assert_eq!(mdat.kind, FourCC::new(b"mdat"));
    assert_eq!(mdat.size, Some(rest.len()), "mdat is the last box");

    let stbl = &moov.trak[0].mdia.minf.stbl;
    let StszSamples::Different { sizes } = &stbl.stsz.samples else {
        panic!("samples of one size");
    };
    let [run] = stbl.stsc.entries.as_slice() else {
        panic!("chunks of several lengths");
    };
    let mut sizes = sizes.iter().map(|&size| size as usize);
    let mut end = file.len() - rest.len();
    let mut samples = Vec::new();
    for &offset in &stbl.stco.as_ref().unwrap().entries {
        assert_eq!(offset as usize, end, "chunks are contiguous");
        for size in sizes.by_ref().take(run.samples_per_chunk as usize) {
            samples.push(file[end..end + size].to_vec());
            end += size;
        }
    }
    assert_eq!(sizes.next(), None, "a sample outside of chunks");
    assert_eq!(end, file.len(), "samples fill mdat");
    Parsed { moov, samples }
}

fn avc1(moov: &Moov) -> &Avc1 {
    match moov.trak[0].mdia.minf.stbl.stsd.codecs.as_slice() {
        [Codec::Avc1(avc1)] => avc1,
        other => panic!("{other:?}"),
    }
}

/// The only NAL unit of a sample.
fn nal(sample: &[u8]) -> &[u8] {
    let (length, nal) = sample.split_at(4);
    assert_eq!(length, (nal.len() as u32).to_be_bytes());
    nal
}

fn written(write: impl FnOnce(&mut BitWriter)) -> String {
    let mut w = BitWriter::default();
    write(&mut w);
    let mut r = BitReader::from_nal(&w.into_nal(0));
    let mut bits = String::new();
    while r.more_data() {
        bits.push(if r.bits(1) == 1 { '1' } else { '0' });
    }
    bits
}

#[test]
fn ratios() {
    let cases = [
        ((16, 9), Some((1280, 720))),
        ((960, 540), Some((1280, 720))),
        ((9, 16), Some((720, 1280))),
        ((1, 1), Some((960, 960))),
        ((21, 9), Some((1456, 624))),
        ((19, 1), Some((3952, 208))),
        ((1, 19), Some((208, 3952))),
        // Larger than a decoder must support, too low for a clock, and less than a macroblock.
        ((20, 1), None),
        ((1, 20), None),
        ((3600, 1), None),
        ((60_000, 1), None),
        ((0, 1), None),
        ((1, 0), None),
    ];
    for ((width, height), expected) in cases {
        let size = FrameSize::with_ratio(width, height);
        let sides = size.map(|size| (size.width(), size.height()));
        assert_eq!(sides, expected, "{width}:{height}");
    }
}

#[test]
fn exp_golomb() {
    let unsigned = [
        (0, "1"),
        (1, "010"),
        (2, "011"),
        (3, "00100"),
        (7, "0001000"),
        (25, "000011010"),
        (30, "000011111"),
        (3599, "00000000000111000010000"),
    ];
    for (value, code) in unsigned {
        assert_eq!(written(|w| w.ue(value)), code, "ue({value})");
    }
    let longest = "0".repeat(32) + "1" + &"0".repeat(32);
    assert_eq!(written(|w| w.ue(u32::MAX)), longest);
    let signed = [
        (0, "1"),
        (1, "010"),
        (-1, "011"),
        (2, "00100"),
        (-2, "00101"),
    ];
    for (value, code) in signed {
        assert_eq!(written(|w| w.se(value)), code, "se({value})");
    }
}

#[test]
fn bits_are_packed_from_the_top() {
    let mixed = written(|w| {
        w.flag(true);
        w.bits(0b0110, 4);
        w.align();
        w.aligned_bytes(&[0xA5]);
        w.bits(u32::MAX, 3);
    });
    assert_eq!(mixed, "1011000010100101111");
}

#[test]
fn start_codes_are_escaped() {
    let cases: [(&[u8], &[u8]); 5] = [
        (&[0, 0, 1], &[9, 0, 0, 3, 1, 0x80]),
        (&[0, 0, 0, 0], &[9, 0, 0, 3, 0, 0, 0x80]),
        (&[0, 0, 3], &[9, 0, 0, 3, 3, 0x80]),
        (&[0, 0, 4, 0, 1], &[9, 0, 0, 4, 0, 1, 0x80]),
        (&[0, 0, 0, 0, 0], &[9, 0, 0, 3, 0, 0, 3, 0, 0x80]),
    ];
    for (payload, expected) in cases {
        let mut w = BitWriter::default();
        w.aligned_bytes(payload);
        assert_eq!(w.into_nal(9), expected, "{payload:?}");
    }
}

#[test]
fn sps_states_profile_level_and_size() {
    for size in sizes() {
        let sps = h264::sps(size);
        assert_eq!(sps[..4], [0x67, 66, 0xC0, 41]);
        let mut r = BitReader::from_nal(&sps[3..]);
        // Set id, frame_num bits less 4, order type, reference frames.
        assert_eq!([r.ue(), r.ue(), r.ue(), r.ue()], [0, 4, 2, 1]);
        assert_eq!(r.bits(1), 0, "gaps");
        assert_eq!((r.ue() + 1) * 16, u32::from(size.width()));
        assert_eq!((r.ue() + 1) * 16, u32::from(size.height()));
        assert_eq!(r.bits(3), 0b110, "frames only, inference, no cropping");
    }
}

#[test]
fn boxes_describe_the_video() {
    for size in sizes() {
        for (asked, seconds) in [(0, 1), (1, 1), (3, 3), (15, 15), (u32::MAX, MAX_SECONDS)] {
            let context = format!("{size:?} {asked} s");
            let Parsed { moov, samples } = parse(&card(size, asked, "a red fox").render());
            let [trak] = moov.trak.as_slice() else {
                panic!("{context}: {} tracks", moov.trak.len());
            };
            let frames = seconds * FRAME_RATE;
            assert_eq!(samples.len(), frames as usize, "{context}");

            let exactly = |duration: u64, timescale: u32| {
                assert_eq!(duration, u64::from(seconds * timescale), "{context}");
            };
            exactly(moov.mvhd.duration, moov.mvhd.timescale);
            exactly(trak.tkhd.duration, moov.mvhd.timescale);
            exactly(trak.mdia.mdhd.duration, trak.mdia.mdhd.timescale);
            let stbl = &trak.mdia.minf.stbl;
            let [stts] = stbl.stts.entries.as_slice() else {
                panic!("{context}: uneven frames");
            };
            assert_eq!(stts.sample_count, frames, "{context}");
            assert_eq!(stts.sample_delta * FRAME_RATE, trak.mdia.mdhd.timescale);

            let visual = &avc1(&moov).visual;
            assert_eq!(
                (visual.width, visual.height),
                (size.width(), size.height()),
                "{context}"
            );
            assert_eq!(trak.tkhd.width.integer(), size.width(), "{context}");
            assert_eq!(trak.tkhd.height.integer(), size.height(), "{context}");

            let keyframes: Vec<u32> = (1..=frames).step_by(48).collect();
            assert_eq!(stbl.stss.as_ref().unwrap().entries, keyframes, "{context}");
            for (number, sample) in (1..).zip(&samples) {
                let header = if keyframes.contains(&number) {
                    0x65
                } else {
                    0x41
                };
                assert_eq!(nal(sample)[0], header, "{context}, sample {number}");
            }
        }
    }
}

#[test]
fn decoded_pictures_equal_the_drawn_ones() {
    for size in sizes() {
        let card = card(
            size,
            5,
            "A cat, a hat, and Zoë's quay: jumping… “gypsy” pigs",
        );
        let Parsed { samples, .. } = parse(&card.render());
        let mut decoder = Decoder::new(usize::from(size.mbs_wide), usize::from(size.mbs_high));
        let mut scene = Scene::new(&card);
        for (n, sample) in (0..).zip(&samples) {
            let drawn = scene.frame(n).mbs();
            assert!(
                decoder.decode(nal(sample)) == drawn,
                "{size:?}, frame {n} differs"
            );
        }
    }
}

#[test]
fn random_pictures_round_trip() {
    let size = sized(1, 1);
    let mut picture = Picture::new(size, Colour::rgb(0x808080));
    let mut encoder = h264::Encoder::new(size);
    let mut decoder = Decoder::new(usize::from(size.mbs_wide), usize::from(size.mbs_high));
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    for n in 0..300 {
        // Few values, so neighbours often agree and long runs of zeros need escaping.
        for _ in 0..20 {
            let values = [0, 0, (random() % 3) as u8];
            let noisy = random() % 2 == 0;
            let end = if random() % 2 == 0 {
                3600
            } else {
                random() as usize % 3600
            };
            for mb in &mut picture.mbs_mut()[end.saturating_sub(3)..end] {
                mb.fill_with(|| values[if noisy { random() as usize % 3 } else { 2 }]);
            }
        }
        let nal = encoder.encode(&picture, n == 280);
        assert!(decoder.decode(&nal) == picture.mbs(), "picture {n} differs");
    }
}

#[test]
fn clock_and_bar_change() {
    let card = card(sized(9, 16), MAX_SECONDS, "");
    let mut scene = Scene::new(&card);
    let mut before = scene.frame(0).clone();
    // A tenth of a second is at most three frames.
    for n in (3..card.seconds * FRAME_RATE).step_by(3) {
        for skipped in n - 2..n {
            scene.frame(skipped);
        }
        let now = scene.frame(n).clone();
        assert!(now != before, "frame {n}");
        before = now;
    }
}

#[test]
fn size_is_within_the_level_for_any_text() {
    // Level 4.1 limits a picture to half (its MinCR is 2) of the size of its samples.
    let narrow = [sized(1, 19), sized(19, 1)];
    let sizes: Vec<_> = sizes().into_iter().chain(narrow).collect();
    for text in hostile_texts() {
        for &size in &sizes {
            let mut card = TestCard::new(&text).note(&text).text(&text);
            card = card.size(size).seconds(1);
            for _ in 0..9 {
                card = card.detail(&text, &text);
            }
            let file = card.render();
            let largest = usize::from(size.mbs_wide) * usize::from(size.mbs_high) * 384 / 2;
            let Parsed { samples, .. } = parse(&file);
            for sample in &samples {
                assert!(sample.len() < largest, "{size}: {} bytes", sample.len());
            }
            assert!(
                file == card.render(),
                "the same card rendered to other bytes"
            );
        }
    }
}

#[test]
fn printable_reduces_text_to_the_font() {
    let cases = [
        ("plain  text\n\twith\u{a0}gaps ", "plain text with gaps"),
        ("\u{201C}it\u{2019}s\u{201D} – a…", "\"it's\" - a..."),
        ("naïve café × 2 · ½", "naïve café × 2 · ½"),
        ("e\u{301}\u{200D}\u{FE0F}", "e"),
        ("狐 fox 🦊", "? fox ?"),
        ("\0\u{1b}", ""),
    ];
    for (text, expected) in cases {
        assert_eq!(printable(text), expected, "{text:?}");
    }
}

#[test]
fn text_is_wrapped_and_truncated() {
    let cases: [(&str, usize, usize, &[&str]); 7] = [
        ("", 10, 3, &[""]),
        ("one two three", 7, 3, &["one two", "three"]),
        ("one two three", 7, 1, &["one..."]),
        ("exact fit", 9, 1, &["exact fit"]),
        ("abcdefghij k", 4, 5, &["abcd", "efgh", "ij k"]),
        ("a bcdefgh", 4, 5, &["a", "bcde", "fgh"]),
        ("abcdefghij", 4, 2, &["abcd", "e..."]),
    ];
    for (text, columns, max_lines, expected) in cases {
        assert_eq!(wrap(text, columns, max_lines), expected, "{text:?}");
    }
    assert_eq!(shorten("0123456789", 10), "0123456789");
    assert_eq!(shorten("0123456789", 9), "012345...");
    assert!(wrap("anything", 0, 0).is_empty());
}
