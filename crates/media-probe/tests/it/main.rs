//! Tests of the public API: encoded files, damaged files, and unreliable sources.

mod expected;
mod ffmpeg;
mod made;

mod against_ffprobe;
mod completeness;
mod declared;
mod images;
mod odd;
mod random;
mod refused;
mod remote;
mod stored;
mod timelines;
