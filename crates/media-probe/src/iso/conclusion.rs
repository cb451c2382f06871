//! What a movie tells about a file.

use std::time::Duration;

use super::codec::{Codec, FourCc};
use super::entry::Entry;
use super::fragment::{Fragments, InFragments};
use super::movie::{Movie, VideoTrack};
use super::timing::Timing;
use super::track::Nanos;
use crate::media_info::{MediaInfo, Video};
use crate::problem::{Code, Problems};

impl Movie {
    /// `is_complete` says whether every box of the file was seen.
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
                let lengths = fragments.tracks.iter().map(InFragments::length);
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
                        true => "it has sound only: there is no video track",
                        false => "it has neither a video track nor sound",
                    },
                );
            }
            return None;
        };
        let Some(entry) = &track.entry else {
            problems.corrupt_as_a_whole(
                Code::MissingPart,
                "the video track does not say how its frames are stored (`stsd`)",
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
            codec: Codec::of(entry.name),
            four_cc: FourCc(entry.name),
            duration: length.and_then(|length| duration(length, problems)),
            coded: entry.coded,
            display: rotation.and_then(|rotation| {
                let size = entry.display(track.header_size)?;
                Some(if rotation.swaps_sides() {
                    size.turned()
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

    /// Says why something is not known, unless some damage does.
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
            problems
                .corrupt_as_a_whole(Code::WrongValue, "the size of the frames in the index is 0");
        }
        if problems.has_damage() {
            return;
        }
        match (video.frames, timing.frames) {
            (Some(0), _) => problems.unsupported(Code::NoVideo, "the video track has no frames"),
            (None, 0) => problems.unknown(
                Code::NotSaid,
                "no frame was seen, so that the rate of frames is not known",
            ),
            _ if video.frame_rate.is_none() => {
                problems
                    .corrupt_as_a_whole(Code::WrongValue, "the frames of the video have no length");
            }
            _ => {}
        }
        if video.duration.is_none() && video.frames != Some(0) {
            problems.unknown(
                Code::NotSaid,
                match self.fragments {
                    Some(_) => "how long the video is shows only in its fragments, and not all of them were seen",
                    None => "how long the video is stands nowhere in its index",
                },
            );
        }
        if track.matrix.rotation().is_none() {
            problems.unknown(
                Code::NotSaid,
                "the video is not turned by quarters, so that its size on the screen is not known",
            );
        }
    }
}

/// None, and a problem, for more than 584 years.
fn duration(length: Nanos, problems: &mut Problems) -> Option<Duration> {
    let nanos = u64::try_from(length).ok();
    if nanos.is_none() && !problems.has_damage() {
        problems.corrupt_as_a_whole(
            Code::WrongValue,
            "the length that the file claims is impossible",
        );
    }
    nanos.map(Duration::from_nanos)
}
