//! MP4 muxing: one AVC track, and a silent audio track on request, with `moov` before `mdat`.

use super::{FRAME_RATE, FrameSize, KEYFRAME_INTERVAL, h264, sound};
use mp4_atom::{
    Avc1, Avcc, Codec, Colr, Dinf, Dref, DrefEntry, Encode, FourCC, Ftyp, Hdlr, Mdhd, Mdia, Minf,
    Moov, Mvhd, Pasp, Result, Stbl, Stco, Stsc, StscEntry, Stsd, Stss, Stsz, StszSamples, Stts,
    SttsEntry, Tkhd, Trak, Url, Visual, Vmhd,
};

/// Ticks per second, for the movie and the track. A frame is an integral number of ticks.
const TIMESCALE: u32 = FRAME_RATE * 1000;
const TRACK_ID: u32 = 1;
const SOUND_TRACK_ID: u32 = 2;
/// A chunk is one second of video.
const CHUNK_SAMPLES: usize = FRAME_RATE as usize;
/// NAL unit lengths and the `mdat` header are 4-byte fields.
const LENGTH: usize = 4;

/// Muxes a video of `seconds` seconds whose samples are one slice NAL unit each.
pub(super) fn mux(size: FrameSize, seconds: u32, has_sound: bool, samples: &[Vec<u8>]) -> Vec<u8> {
    // No field of these boxes can overflow, and writing to a Vec cannot fail.
    try_mux(size, seconds, has_sound, samples).expect("every box of a video can be written")
}

fn try_mux(size: FrameSize, seconds: u32, has_sound: bool, samples: &[Vec<u8>]) -> Result<Vec<u8>> {
    let sizes: Vec<u32> = samples
        .iter()
        .map(|nal| (LENGTH + nal.len()) as u32)
        .collect();
    let mut file = Vec::new();
    Ftyp {
        major_brand: FourCC::new(b"isom"),
        minor_version: 512,
        compatible_brands: [b"isom", b"iso2", b"avc1", b"mp41"]
            .map(FourCC::new)
            .to_vec(),
    }
    .encode(&mut file)?;

    // Chunk offsets depend on the size of their own box, which their values do not change.
    let mut header = Vec::new();
    moov(size, seconds, has_sound, &sizes, 0)?.encode(&mut header)?;
    let media_start = file.len() + header.len() + 2 * LENGTH;
    moov(size, seconds, has_sound, &sizes, media_start as u32)?.encode(&mut file)?;

    let sound = if has_sound {
        sound::media(seconds)
    } else {
        Vec::new()
    };
    let media_size = sizes.iter().sum::<u32>() + sound.len() as u32;
    file.reserve_exact(2 * LENGTH + media_size as usize);
    file.extend((2 * LENGTH as u32 + media_size).to_be_bytes());
    file.extend(b"mdat");
    for nal in samples {
        file.extend((nal.len() as u32).to_be_bytes());
        file.extend_from_slice(nal);
    }
    file.extend(sound);
    Ok(file)
}

fn moov(
    size: FrameSize,
    seconds: u32,
    has_sound: bool,
    sizes: &[u32],
    media_start: u32,
) -> Result<Moov> {
    let duration = u64::from(seconds) * u64::from(TIMESCALE);
    let sound_start = media_start + sizes.iter().sum::<u32>();
    let sound = has_sound.then(|| sound::track(SOUND_TRACK_ID, duration, seconds, sound_start));
    let picture = picture_track(size, duration, sizes, media_start)?;
    Ok(Moov {
        mvhd: Mvhd {
            timescale: TIMESCALE,
            duration,
            rate: 1.into(),
            volume: 1.into(),
            next_track_id: TRACK_ID + 1 + u32::from(has_sound),
            ..Mvhd::default()
        },
        trak: [picture].into_iter().chain(sound).collect(),
        ..Moov::default()
    })
}

fn picture_track(size: FrameSize, duration: u64, sizes: &[u32], media_start: u32) -> Result<Trak> {
    Ok(Trak {
        tkhd: Tkhd {
            track_id: TRACK_ID,
            duration,
            enabled: true,
            in_movie: true,
            width: size.width().into(),
            height: size.height().into(),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd {
                timescale: TIMESCALE,
                duration,
                language: "und".into(),
                ..Mdhd::default()
            },
            hdlr: Hdlr {
                handler: FourCC::new(b"vide"),
                name: "VideoHandler".into(),
            },
            minf: Minf {
                vmhd: Some(Vmhd::default()),
                dinf: Dinf {
                    dref: Dref {
                        entries: vec![DrefEntry::Url(Url::default())],
                    },
                },
                stbl: stbl(size, sizes, media_start)?,
                ..Minf::default()
            },
        },
        ..Trak::default()
    })
}

fn stbl(size: FrameSize, sizes: &[u32], media_start: u32) -> Result<Stbl> {
    let count = sizes.len() as u32;
    let chunks = sizes
        .chunks(CHUNK_SAMPLES)
        .scan(media_start, |next, chunk| {
            let offset = *next;
            *next += chunk.iter().sum::<u32>();
            Some(offset)
        });
    Ok(Stbl {
        stsd: Stsd {
            codecs: vec![Codec::Avc1(avc1(size)?)],
        },
        stts: Stts {
            entries: vec![SttsEntry {
                sample_count: count,
                sample_delta: TIMESCALE / FRAME_RATE,
            }],
        },
        stss: Some(Stss {
            entries: (1..=count).step_by(KEYFRAME_INTERVAL as usize).collect(),
        }),
        stsc: Stsc {
            entries: vec![StscEntry {
                first_chunk: 1,
                samples_per_chunk: CHUNK_SAMPLES as u32,
                sample_description_index: 1,
            }],
        },
        stsz: Stsz {
            samples: StszSamples::Different {
                sizes: sizes.to_vec(),
            },
        },
        stco: Some(Stco {
            entries: chunks.collect(),
        }),
        ..Stbl::default()
    })
}

fn avc1(size: FrameSize) -> Result<Avc1> {
    Ok(Avc1 {
        visual: Visual {
            data_reference_index: 1,
            width: size.width(),
            height: size.height(),
            ..Visual::default()
        },
        avcc: Avcc::new(&h264::sps(size), &h264::pps())?,
        colr: Some(Colr::new(1, 1, 1, false)?),
        pasp: Some(Pasp::new(1, 1)?),
        ..Avc1::default()
    })
}
