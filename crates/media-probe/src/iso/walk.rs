//! The walk over the top-level boxes of a file, which also determines whether the file is complete.

use super::boxes::{Child, Header, LONG_HEADER, Name, SHORT_HEADER, escape_name};
use super::fragment::Fragments;
use super::movie::Movie;
use crate::format::Format;
use crate::media_info::MediaInfo;
use crate::problem::{Code, Problem, Problems};
use crate::reader::{DEFAULT_REQUEST, Next, read_part};
use crate::window::View;

/// The number of bytes to read after an index: the header of the next box.
const NEXT_HEADER: u64 = LONG_HEADER;

/// An offset beyond the end of every file.
const NOWHERE: u64 = 1 << 63;

/// The boxes that a video requires. Truncation of another box matters only if one of these is missing.
const NEEDED: [Name; 3] = [*b"mdat", *b"moov", *b"moof"];

#[derive(Clone, Debug)]
pub(crate) struct Walk {
    format: Format,
    /// Whether the walk continues to the end of a file of unknown length.
    reads_until_end: bool,
    /// The offset of the next box.
    at: u64,
    /// The previous box and its offset; `None` if indexed fragments were skipped.
    last: Option<(Name, u64)>,
    /// Whether that box extends to the end of the file.
    is_open: bool,
    has_index: bool,
    /// The index, if it was read.
    movie: Option<Movie>,
    has_media: bool,
    has_fragment: bool,
    /// Whether a box was too large to be parsed.
    has_unread: bool,
    /// Whether the end of the file was reached.
    is_complete: bool,
    /// A wrong length without a missing part.
    wrong_length_problem: Option<Problem>,
    /// The result: damage, or an irregularity of a complete file.
    result: Option<Problem>,
}

impl Walk {
    pub(crate) fn new(format: Format, reads_until_end: bool) -> Self {
        Self {
            format,
            reads_until_end,
            at: 0,
            last: None,
            is_open: false,
            has_index: false,
            movie: None,
            has_media: false,
            has_fragment: false,
            has_unread: false,
            is_complete: false,
            wrong_length_problem: None,
            result: None,
        }
    }

    pub(crate) fn advance(&mut self, view: View<'_>, problems: &mut Problems) -> Next {
        loop {
            self.skip_indexed_fragments();
            if let Some(total) = view.total {
                if self.at > total && !self.is_open {
                    return self.cut(total);
                }
                if self.at >= total {
                    return self.end(Some(total));
                }
            } else if self.is_open && !(self.reads_until_end && self.has_index) {
                return self.end(None);
            } else if self.is_plain() && self.has_media && !self.reads_until_end {
                // The end of such a file looks like truncation, and everything else is known.
                return Next::Done;
            }
            let at = self.at;
            if self.wrong_length_problem.is_some() {
                // The frames end here. The data after them need not be a box.
                read_part!(view, at, 1, DEFAULT_REQUEST, return self.end(view.total));
                return self.end(view.total);
            }
            let begin = read_part!(
                view,
                at,
                SHORT_HEADER,
                DEFAULT_REQUEST,
                return self.end(view.total)
            );
            let length = Header::length(begin);
            let bytes = read_part!(
                view,
                at,
                length,
                DEFAULT_REQUEST,
                return self.end(view.total)
            );
            let Some(header) = Header::read(bytes) else {
                return Next::Done;
            };
            let name = header.name;
            let end = match header.size {
                None => Some(NOWHERE),
                Some(size) => at
                    .checked_add(size)
                    .filter(|end| header.is_possible() && *end < NOWHERE),
            };
            let is_stray = self.is_complete_before(at) && !is_name(name);
            let Some(end) = end.filter(|_| !is_stray) else {
                if self.is_complete_before(at) {
                    return self.end_before(at);
                }
                match self.frames_end() {
                    Some(frames) if self.has_media => {
                        self.wrong_length_problem = Some(wrong_length_problem(at, frames));
                        self.at = frames.min(NOWHERE);
                        continue;
                    }
                    _ => return self.finish_with(wrong_length(name, at)),
                }
            };
            self.last = Some((name, at));
            self.is_open = header.size.is_none();
            self.has_media |= name == *b"mdat";
            self.has_fragment |= name == *b"moof";
            let is_looked_into = match &name {
                b"moov" => !self.has_index,
                b"moof" | b"sidx" => self.fragments().is_some(),
                _ => false,
            };
            let end = match (self.is_open, view.total) {
                (true, Some(total)) => total,
                _ => end,
            };
            if is_looked_into && view.total.is_none_or(|total| end <= total) {
                let size = end - at;
                if size > view.limits.index.into() {
                    too_large(name, size, view.limits.index, problems);
                    self.has_unread = true;
                } else {
                    let ask = size.saturating_add(NEXT_HEADER);
                    let bytes = read_part!(view, at, size, ask, return self.cut(at));
                    let child = Child {
                        name,
                        at,
                        body: &bytes[header.header as usize..],
                        body_at: at + header.header,
                    };
                    self.read_box(&child, problems);
                }
            }
            self.has_index |= name == *b"moov";
            self.at = end;
        }
    }

    fn read_box(&mut self, part: &Child<'_>, problems: &mut Problems) {
        if part.name == *b"moov" {
            self.movie = Some(Movie::read(part, problems));
        } else if let Some(fragments) = self.fragments() {
            match &part.name {
                b"sidx" => fragments.read_segment_index(part, problems),
                _ => fragments.read_fragment(part, problems),
            }
        }
    }

    fn skip_indexed_fragments(&mut self) {
        let at = self.at;
        if let Some(fragments) = self.fragments() {
            let behind = fragments.resume(at).min(NOWHERE);
            if behind != at {
                // The skipped fragments have media.
                (self.at, self.last, self.has_media) = (behind, None, true);
            }
        }
    }

    fn fragments(&mut self) -> Option<&mut Fragments> {
        self.movie.as_mut()?.fragments.as_mut()
    }

    pub(crate) fn is_fragmented(&self) -> bool {
        let movie = self.movie.as_ref();
        self.has_fragment || movie.is_some_and(|movie| movie.fragments.is_some())
    }

    /// Whether the index was read and the file is not fragmented.
    fn is_plain(&self) -> bool {
        let movie = self.movie.as_ref();
        movie.is_some_and(|movie| movie.fragments.is_none())
    }

    /// The end of the last video or audio frame in the file, if an index without fragments has it.
    fn frames_end(&self) -> Option<u64> {
        let movie = self.movie.as_ref()?;
        movie.frames_end.filter(|_| movie.fragments.is_none())
    }

    /// Whether the video is complete in the boxes before this offset.
    fn is_complete_before(&self, at: u64) -> bool {
        self.has_index && self.has_media && self.frames_end().is_none_or(|end| end <= at)
    }

    fn finish_with(&mut self, result: Problem) -> Next {
        self.result = Some(result);
        Next::Done
    }

    /// The bytes at this offset are not a box, and the video is complete before it.
    fn end_before(&mut self, at: u64) -> Next {
        self.is_complete = true;
        self.finish_with(Problem::note(
            Code::TrailingData,
            Some(at),
            format!("the video ends at byte {at}, and the data after it is ignored"),
        ))
    }

    /// No further box begins before the end of the file, whose length may be unknown.
    fn end(&mut self, total: Option<u64>) -> Next {
        self.is_complete = true;
        let at = self.at;
        let rest_at = total.filter(|total| at < *total).map(|_| at);
        self.result = match (self.has_index, self.has_media, self.last) {
            (true, true, _) => match (self.frames_end(), total, rest_at) {
                (Some(frames), Some(total), _) if frames > total => {
                    Some(truncated("its frames extend", frames, total))
                }
                (Some(frames), _, Some(at)) if frames > at => {
                    Some(wrong_length_problem(at, frames))
                }
                (_, _, Some(at)) if self.wrong_length_problem.is_none() => {
                    return self.end_before(at);
                }
                _ => self.wrong_length_problem.take(),
            },
            (_, _, Some((name, at))) if self.is_open && !NEEDED.contains(&name) => {
                Some(Problem::corrupt(
                    Code::WrongSize,
                    Some(at),
                    format!(
                        "the box `{}` at byte {at} has the length 0, which means up to the end of the file, before any video",
                        escape_name(name)
                    ),
                ))
            }
            (false, ..) => Some(Problem::corrupt(
                Code::MissingPart,
                None,
                "the file has no index (`moov`), as after an interrupted recording or copy",
            )),
            (true, false, _) => Some(Problem::corrupt(
                Code::MissingPart,
                None,
                "the file has no media (`mdat`) after its index",
            )),
        };
        Next::Done
    }

    /// The file ends before the last box, or within the skipped fragments.
    fn cut(&mut self, total: u64) -> Next {
        let end = self.at;
        if self.wrong_length_problem.is_some() {
            return self.finish_with(truncated("its frames extend", end, total));
        }
        let Some((name, at)) = self.last else {
            return self.finish_with(truncated("its fragments extend", end, total));
        };
        let is_whole = match self.frames_end() {
            Some(frames) => self.has_media && frames <= total,
            None => self.has_index && self.has_media && !NEEDED.contains(&name),
        };
        if !is_whole {
            let what = match NEEDED.contains(&name) {
                true => format!("its box `{}` at byte {at} extends", escape_name(name)),
                // Other boxes are short.
                false => format!(
                    "its box `{}` at byte {at}, whose length may be wrong, extends",
                    escape_name(name)
                ),
            };
            return self.finish_with(truncated(&what, end, total));
        }
        if self.is_complete_before(at) {
            return self.end_before(at);
        }
        self.is_complete = true;
        self.finish_with(Problem::unusual(
            Code::WrongSize,
            Some(at),
            format!(
                "the box `{}` at byte {at} extends to byte {end}, but the file ends at byte {total} with all frames",
                escape_name(name)
            ),
        ))
    }

    /// The result of the walk; `None` while it continues, and for a complete file without irregularities.
    pub(crate) fn completeness_problem(&self) -> Option<&Problem> {
        self.result.as_ref()
    }

    /// Whether only the length of the file can prove that it is complete.
    pub(crate) fn is_open(&self) -> bool {
        let is_needed = self.last.is_some_and(|(name, _)| NEEDED.contains(&name));
        self.is_open && is_needed && self.frames_end().is_none()
    }

    /// `is_read` is whether the walk reached its end.
    pub(crate) fn conclude(self, is_read: bool, problems: &mut Problems) -> MediaInfo {
        if let Some(result) = self.result {
            problems.push(result);
        }
        let probed = MediaInfo::new(Some(self.format));
        let is_complete = self.is_complete && is_read && !self.has_unread;
        match self.movie {
            Some(movie) => movie.conclude(probed, is_complete, problems),
            None => probed,
        }
    }
}

fn is_name(name: Name) -> bool {
    let is_usual = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | 0xa9);
    name.iter().all(is_usual)
}

fn wrong_length(name: Name, at: u64) -> Problem {
    Problem::corrupt(
        Code::WrongSize,
        Some(at),
        format!(
            "the length of the box `{}` at byte {at} is impossible",
            escape_name(name)
        ),
    )
}

fn wrong_length_problem(at: u64, frames: u64) -> Problem {
    Problem::unusual(
        Code::WrongSize,
        Some(at),
        format!(
            "the length of the box that ends at byte {at} is wrong, but all frames exist, up to byte {frames}"
        ),
    )
}

fn truncated(what: &str, end: u64, total: u64) -> Problem {
    let missing = end - total;
    Problem::corrupt(
        Code::Truncated,
        Some(total),
        format!(
            "the file is truncated: {what} to byte {end}, but the file ends at byte {total} ({missing} bytes are missing)"
        ),
    )
}

fn too_large(name: Name, size: u64, limit: u32, problems: &mut Problems) {
    let name = escape_name(name);
    problems.unknown(
        Code::TooLarge,
        format!("the box `{name}` has {size} bytes, more than the limit of {limit}"),
    );
}
