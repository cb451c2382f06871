//! Randomly damaged files: the properties of the probe hold.

use media_probe::property;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::expected::{samples, stored};

/// A kind of damage.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Overwrite(Index, Vec<u8>),
    Zero(Index, usize),
    Truncate(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    /// Another length of a box, at any occurrence of its name.
    Resize(Index, u32),
}

const NAMES: [&[u8; 4]; 34] = [
    b"ftyp", b"moov", b"mvhd", b"trak", b"tkhd", b"edts", b"elst", b"mdia", b"mdhd", b"hdlr",
    b"minf", b"stbl", b"stsd", b"avc1", b"pasp", b"stts", b"ctts", b"mvex", b"trex", b"sidx",
    b"moof", b"traf", b"tfhd", b"trun", b"mdat", b"mfra", b"free", b"udta", b"hvc1", b"apch",
    b"IHDR", b"IDAT", b"IEND", b"JFIF",
];

fn damage() -> impl Strategy<Value = Damage> {
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
        (at(), any::<u8>()).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        (at(), bytes()).prop_map(|(at, bytes)| Damage::Overwrite(at, bytes)),
        (at(), extreme).prop_map(|(at, number)| Damage::Overwrite(at, number.to_be_bytes().into())),
        (at(), 1..64_usize).prop_map(|(at, length)| Damage::Zero(at, length)),
        at().prop_map(Damage::Truncate),
        (at(), bytes()).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), 1..64_usize).prop_map(|(at, length)| Damage::Remove(at, length)),
        (at(), 1..2000_usize).prop_map(|(at, length)| Damage::Repeat(at, length)),
        (at(), number).prop_map(|(at, size)| Damage::Resize(at, size)),
    ]
}

fn damaged(mut file: Vec<u8>, damages: Vec<Damage>) -> Vec<u8> {
    for damage in damages {
        if file.is_empty() {
            break;
        }
        let length = file.len();
        let to = |at: usize, part: usize| length.min(at + part);
        match damage {
            Damage::Flip(at, bits) => file[at.index(length)] ^= bits,
            Damage::Overwrite(at, bytes) => {
                let at = at.index(length);
                let end = to(at, bytes.len());
                file[at..end].copy_from_slice(&bytes[..end - at]);
            }
            Damage::Zero(at, part) => {
                let at = at.index(length);
                file[at..to(at, part)].fill(0);
            }
            Damage::Truncate(at) => file.truncate(at.index(length)),
            Damage::Insert(at, bytes) => {
                let at = at.index(length);
                file.splice(at..at, bytes);
            }
            Damage::Remove(at, part) => {
                let at = at.index(length);
                file.drain(at..to(at, part));
            }
            Damage::Repeat(at, part) => {
                let at = at.index(length);
                let part = file[at..to(at, part)].to_vec();
                file.splice(at..at, part);
            }
            Damage::Resize(at, size) => {
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
    fn damaged_files_have_the_properties(
        name in select(samples().into_iter().map(|sample| sample.name).collect::<Vec<_>>()),
        damages in proptest::collection::vec(damage(), 1..6),
    ) {
        property::check(&damaged(stored(&name), damages));
    }

    #[test]
    fn random_bytes_have_the_properties(
        begin in select(vec![
            &b""[..], b"\0\0\0\x10ftypisom\0\0\0\0", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x08moov",
        ]),
        rest in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        property::check(&[begin, &rest].concat());
    }
}
