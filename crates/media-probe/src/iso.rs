//! MP4, MOV and related formats: files of boxes (ISO/IEC 14496-12, and QuickTime, their origin).

pub(crate) mod codec;
pub(crate) mod walk;

mod conclusion;
mod fragment;
mod movie;
mod track;

mod chunks;
mod edits;
mod entry;
mod timing;

mod boxes;
