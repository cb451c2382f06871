//! Conclusions from the index of a file.

use std::time::Duration;

use super::codec::{Codec, FourCc};
use super::entry::Entry;
use super::fragment::{FragmentedTrack, Fragments};
use super::movie::{Movie, VideoTrack};
use super::timing::Timing;
use super::track::Nanos;
use crate::media_info::{MediaInfo, Video};
use crate::problem::{Code, Problems};

impl Movie {
    /// `is_complete` is whether every box of the file was read.
    pub(super) fn conclude(
        self,
        probed: MediaInfo,
        is_complete: bool,
        problems: &mut Problems,
    ) -> MediaInfo {
        if self.is_compressed {
            return probed;
        }
        let length = match &self.fragments {
            None => self.length,
            Some(fragments) if is_complete => {
                let lengths = fragments.tracks.iter().map(FragmentedTrack::length);
                lengths.max().flatten()
            }
            Some(fragments) => fragments.declared,
        };
        let is_damaged = self.is_damaged;
        let is_certain = |says_yes: bool| says_yes || !is_damaged;
        MediaInfo {
            duration: length.and_then(|length| duration(length, problems)),
            video: self.video(is_complete, problems),
            video_tracks: is_certain(self.video_tracks > 0).then_some(self.video_tracks),
            has_audio: is_certain(self.has_audio).then_some(self.has_audio),
            ..probed
        }
    }

    fn video(&self, is_complete: bool, problems: &mut Problems) -> Option<Video> {
        let Some(track) = &self.video else {
            if !self.is_damaged {
                problems.unsupported(
                    Code::NoVideo,
                    match self.has_audio {
                        true => "the file has audio but no video track",
                        false => "the file has neither video nor audio",
                    },
                );
            }
            return None;
        };
        let Some(entry) = &track.entry else {
            problems.corrupt_file(
                Code::MissingPart,
                "the video track lacks its sample description (`stsd`)",
            );
            return None;
        };
        let in_fragments = self.fragments.as_ref().and_then(Fragments::video);
        let timing = in_fragments.map_or(&track.timing, |fragments| &fragments.timing);
        let length = match (&self.fragments, in_fragments) {
            (None, _) => track.length.map(|length| length.shown),
            (Some(_), Some(fragments)) if is_complete => fragments.length(),
            (Some(fragments), _) => fragments.declared,
        };
        let are_all_seen = match &self.fragments {
            None => true,
            Some(fragments) => is_complete && !fragments.has_skipped,
        };
        let rotation = track.matrix.rotation();
        let video = Video {
            codec: Codec::from_name(entry.name),
            four_cc: FourCc(entry.name),
            duration: length.and_then(|length| duration(length, problems)),
            coded: entry.coded,
            display: rotation.and_then(|rotation| {
                let size = entry.display(track.header_size)?;
                Some(if rotation.swaps_sides() {
                    size.transposed()
                } else {
                    size
                })
            }),
            rotation,
            frame_rate: track.scale.and_then(|scale| timing.rate(scale)),
            frames: are_all_seen.then_some(timing.frames),
            is_fragmented: self.fragments.is_some(),
        };
        self.explain(track, entry, timing, &video, problems);
        Some(video)
    }

    /// Reports the reasons for unknown values, unless damage is one.
    fn explain(
        &self,
        track: &VideoTrack,
        entry: &Entry,
        timing: &Timing,
        video: &Video,
        problems: &mut Problems,
    ) {
        if entry.is_encrypted {
            problems.unsupported(Code::Encrypted, "the video is encrypted");
        }
        if entry.coded.is_none() {
            problems.corrupt_file(Code::WrongValue, "the size of the frames in the index is 0");
        }
        if problems.has_damage() {
            return;
        }
        match (video.frames, timing.frames) {
            (Some(0), _) => problems.unsupported(Code::NoVideo, "the video track has no frames"),
            (None, 0) => problems.unknown(
                Code::NotSaid,
                "no frame was read, so the frame rate is unknown",
            ),
            _ if video.frame_rate.is_none() => {
                problems.corrupt_file(Code::WrongValue, "the frames of the video have no duration");
            }
            _ => {}
        }
        if video.duration.is_none() && video.frames != Some(0) {
            problems.unknown(
                Code::NotSaid,
                match self.fragments {
                    Some(_) => {
                        "the duration is only in the fragments, and not all of them were read"
                    }
                    None => "the index has no duration",
                },
            );
        }
        if track.matrix.rotation().is_none() {
            problems.unknown(
                Code::NotSaid,
                "the rotation of the video is not a multiple of 90 degrees, so its display size is unknown",
            );
        }
    }
}

/// `None`, and a problem, for more than 584 years.
fn duration(length: Nanos, problems: &mut Problems) -> Option<Duration> {
    let nanos = u64::try_from(length).ok();
    if nanos.is_none() && !problems.has_damage() {
        problems.corrupt_file(Code::WrongValue, "the declared duration is impossible");
    }
    nanos.map(Duration::from_nanos)
}
