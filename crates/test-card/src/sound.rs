//! A silent AAC track.

use mp4_atom::{
    Audio, Codec, Dinf, Dref, DrefEntry, FourCC, Hdlr, Mdhd, Mdia, Minf, Mp4a, Smhd, Stbl, Stco,
    Stsc, StscEntry, Stsd, Stsz, StszSamples, Stts, SttsEntry, Tkhd, Trak, Url, esds,
};

/// Samples per second, and the ticks of the track.
const SAMPLE_RATE: u32 = 48_000;
/// The index of this rate in MPEG-4.
const RATE_INDEX: u8 = 3;
/// Samples in a frame of AAC.
const FRAME_SAMPLES: u32 = 1024;
/// A frame of AAC-LC with one silent channel. It is the same at every sample rate.
const SILENT_FRAME: [u8; 6] = [0x00, 0xC8, 0x00, 0x80, 0x23, 0x80];
/// AAC, among the object types of MPEG-4.
const AAC: u8 = 0x40;
const AAC_LC: u8 = 2;
const AUDIO_STREAM: u8 = 5;

/// The frames of a track of `seconds` seconds. The last one is cut to that length by its duration.
fn frames(seconds: u32) -> u32 {
    (seconds * SAMPLE_RATE).div_ceil(FRAME_SAMPLES)
}

/// The media of a track of `seconds` seconds.
pub(super) fn media(seconds: u32) -> Vec<u8> {
    SILENT_FRAME.repeat(frames(seconds) as usize)
}

/// The description of the track: `track_id`, its length in the ticks of the movie, and the offset of its media.
pub(super) fn track(track_id: u32, movie_duration: u64, seconds: u32, media_start: u32) -> Trak {
    let samples = seconds * SAMPLE_RATE;
    Trak {
        tkhd: Tkhd {
            track_id,
            duration: movie_duration,
            enabled: true,
            in_movie: true,
            volume: 1.into(),
            ..Tkhd::default()
        },
        mdia: Mdia {
            mdhd: Mdhd {
                timescale: SAMPLE_RATE,
                duration: samples.into(),
                language: "und".into(),
                ..Mdhd::default()
            },
            hdlr: Hdlr {
                handler: FourCC::new(b"soun"),
                name: "SoundHandler".into(),
            },
            minf: Minf {
                smhd: Some(Smhd::default()),
                dinf: Dinf {
                    dref: Dref {
                        entries: vec![DrefEntry::Url(Url::default())],
                    },
                },
                stbl: stbl(samples, frames(seconds), media_start),
                ..Minf::default()
            },
        },
        ..Trak::default()
    }
}

/// One chunk with all frames.
fn stbl(samples: u32, frames: u32, media_start: u32) -> Stbl {
    let last = samples - (frames - 1) * FRAME_SAMPLES;
    let times = [(frames - 1, FRAME_SAMPLES), (1, last)];
    Stbl {
        stsd: Stsd {
            codecs: vec![Codec::Mp4a(mp4a())],
        },
        stts: Stts {
            entries: times
                .into_iter()
                .map(|(sample_count, sample_delta)| SttsEntry {
                    sample_count,
                    sample_delta,
                })
                .collect(),
        },
        stsc: Stsc {
            entries: vec![StscEntry {
                first_chunk: 1,
                samples_per_chunk: frames,
                sample_description_index: 1,
            }],
        },
        stsz: Stsz {
            samples: StszSamples::Identical {
                count: frames,
                size: SILENT_FRAME.len() as u32,
            },
        },
        stco: Some(Stco {
            entries: vec![media_start],
        }),
        ..Stbl::default()
    }
}

fn mp4a() -> Mp4a {
    Mp4a {
        audio: Audio {
            data_reference_index: 1,
            channel_count: 1,
            sample_size: 16,
            sample_rate: (SAMPLE_RATE as u16).into(),
        },
        esds: esds::Esds {
            es_desc: esds::EsDescriptor {
                es_id: 1,
                dec_config: esds::DecoderConfig {
                    object_type_indication: AAC,
                    stream_type: AUDIO_STREAM,
                    dec_specific: Some(esds::DecoderSpecific {
                        profile: AAC_LC,
                        freq_index: RATE_INDEX,
                        chan_conf: 1,
                        raw: Vec::new(),
                    }),
                    ..esds::DecoderConfig::default()
                },
                ..esds::EsDescriptor::default()
            },
        },
        btrt: None,
        taic: None,
    }
}
