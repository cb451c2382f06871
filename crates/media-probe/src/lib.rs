#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

mod completeness;
mod prober;
mod source;

mod format;
mod limits;
mod media_info;
mod problem;
mod rate;

mod image;
mod iso;
mod reader;
mod sniff;
mod window;

#[doc(hidden)]
pub mod property;

pub use completeness::Completeness;
pub use format::{Format, Kind, Mismatch};
pub use limits::Limits;
pub use media_info::{Image, MediaInfo, Orientation, Rotation, Size, Video};
pub use prober::{Prober, Step};
pub use problem::{Code, Problem, Severity};
pub use rate::{FrameRate, Rate};
pub use source::{probe_bytes, probe_file, probe_reader};

pub use iso::codec::{Codec, FourCc};
