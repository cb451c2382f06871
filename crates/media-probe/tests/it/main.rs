//! The probe from outside: files that ffmpeg made, files that were made to harm, and sources that behave badly.

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
