//! Good files, harmed at random: whatever comes of it, the promises hold.

use media_probe::property;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::expected::{samples, stored};

/// One way to harm a file.
#[derive(Clone, Debug)]
enum Harm {
    Flip(Index, u8),
    Overwrite(Index, Vec<u8>),
    Zero(Index, usize),
    Truncate(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// Another length for one of the boxes, wherever its name stands.
    Resize(Index, u32),
}

const NAMES: [&[u8; 4]; 34] = [
    b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"edts", b"elst", b"mdia", b"mdhd", b"hdlr",
    b"minf", b"stbl", b"stsd", b"avc1", b"pasp", b"stts", b"ctts", b"mvex", b"trex", b"sidx",
    b"moof", b"traf", b"tfhd", b"trun", b"mdat", b"mfra", b"free", b"udta", b"hvc1", b"apch",
    b"IHDR", b"IDAT", b"IEND", b"JFIF",
];

fn harm() -> impl Strategy<Value = Harm> {
    let at = any::<Index>;
    let bytes = || proptest::collection::vec(any::<u8>(), 1..24);
    let number = prop_oneof![
        select(vec![
            0,
            1,
            2,
            7,
            8,
            9,
            16,
            0x7fff_ffff,
            0x8000_0000,
            u32::MAX
        ]),
        0..6000_u32,
        any::<u32>(),
    ];
    let extreme = select(vec![0, 1, 0x7fff_ffff, 0x8000_0000_u32, u32::MAX]);
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, bits)| Harm::Flip(at, bits)),
        (at(), bytes()).prop_map(|(at, bytes)| Harm::Overwrite(at, bytes)),
        (at(), extreme).prop_map(|(at, number)| Harm::Overwrite(at, number.to_be_bytes().into())),
        (at(), 1..64_usize).prop_map(|(at, length)| Harm::Zero(at, length)),
        at().prop_map(Harm::Truncate),
        (at(), bytes()).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        (at(), 1..64_usize).prop_map(|(at, length)| Harm::Remove(at, length)),
        (at(), 1..2000_usize).prop_map(|(at, length)| Harm::Repeat(at, length)),
        (at(), number).prop_map(|(at, size)| Harm::Resize(at, size)),
    ]
}

fn harmed(mut file: Vec<u8>, harms: Vec<Harm>) -> Vec<u8> {
    for harm in harms {
        if file.is_empty() {
            break;
        }
        let length = file.len();
        let to = |at: usize, part: usize| length.min(at + part);
        match harm {
            Harm::Flip(at, bits) => file[at.index(length)] ^= bits,
            Harm::Overwrite(at, bytes) => {
                let at = at.index(length);
                let end = to(at, bytes.len());
                file[at..end].copy_from_slice(&bytes[..end - at]);
            }
            Harm::Zero(at, part) => {
                let at = at.index(length);
                file[at..to(at, part)].fill(0);
            }
            Harm::Truncate(at) => file.truncate(at.index(length)),
            Harm::Insert(at, bytes) => {
                let at = at.index(length);
                file.splice(at..at, bytes);
            }
            Harm::Remove(at, part) => {
                let at = at.index(length);
                file.drain(at..to(at, part));
            }
            Harm::Repeat(at, part) => {
                let at = at.index(length);
                let part = file[at..to(at, part)].to_vec();
                file.splice(at..at, part);
            }
            Harm::Resize(at, size) => {
                let boxes: Vec<_> = (4..length.saturating_sub(3))
                    .filter(|at| NAMES.iter().any(|name| file[*at..].starts_with(&name[..])))
                    .collect();
                if !boxes.is_empty() {
                    let at = boxes[at.index(boxes.len())] - 4;
                    file[at..at + 4].copy_from_slice(&size.to_be_bytes());
                }
            }
        }
    }
    file
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn harmed_files_keep_every_promise(
        name in select(samples().into_iter().map(|sample| sample.name).collect::<Vec<_>>()),
        harms in proptest::collection::vec(harm(), 1..6),
    ) {
        property::check(&harmed(stored(&name), harms));
    }

    #[test]
    fn bytes_of_no_kind_keep_every_promise(
        begin in select(vec![
            &b""[..], b"\0\0\0\x10ftypisom\0\0\0\0", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x08moov",
        ]),
        rest in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        property::check(&[begin, &rest].concat());
    }
}
