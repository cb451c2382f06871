//! From box to box over the top level of a file, and the one judgement on whether a file is whole.

use super::boxes::{Child, Header, LONG_HEADER, Name, SHORT_HEADER, shown};
use super::fragment::Fragments;
use super::movie::Movie;
use crate::format::Format;
use crate::media_info::MediaInfo;
use crate::problem::{Code, Problem, Problems};
use crate::reader::{Next, STRETCH, look};
use crate::window::View;

/// What is asked for behind an index: the header of the next box.
const BEHIND: u64 = LONG_HEADER;

/// Beyond the end of every file.
const NOWHERE: u64 = 1 << 63;

/// The boxes without which there is no video. A cut in any other is a cut in a video only if one of these is missing.
const NEEDED: [Name; 3] = [*b"mdat", *b"moov", *b"moof"];

#[derive(Clone, Debug)]
pub(crate) struct Walk {
    format: Format,
    /// Whether the walk goes on to the end of a file whose length is not known.
    is_thorough: bool,
    /// Where the next box begins.
    at: u64,
    /// The box before that, and where it begins; none if fragments that a list covers were passed over.
    last: Option<(Name, u64)>,
    /// Whether that box reaches to the end of the file.
    is_open: bool,
    has_index: bool,
    /// The index, if it was read.
    movie: Option<Movie>,
    has_media: bool,
    has_fragment: bool,
    /// Whether a box was too large to be looked into.
    has_unread: bool,
    /// Whether the end of the file was reached.
    is_complete: bool,
    /// What is wrong with a length, though nothing is missing.
    slip: Option<Problem>,
    /// What the walk came to: damage, or what is odd about a whole file.
    verdict: Option<Problem>,
}

impl Walk {
    pub(crate) fn new(format: Format, is_thorough: bool) -> Self {
        Self {
            format,
            is_thorough,
            at: 0,
            last: None,
            is_open: false,
            has_index: false,
            movie: None,
            has_media: false,
            has_fragment: false,
            has_unread: false,
            is_complete: false,
            slip: None,
            verdict: None,
        }
    }

    pub(crate) fn advance(&mut self, view: View<'_>, problems: &mut Problems) -> Next {
        loop {
            self.pass_listed_fragments();
            if let Some(total) = view.total {
                if self.at > total && !self.is_open {
                    return self.cut(total);
                }
                if self.at >= total {
                    return self.end(Some(total));
                }
            } else if self.is_open && !(self.is_thorough && self.has_index) {
                return self.end(None);
            } else if self.is_plain() && self.has_media && !self.is_thorough {
                // The end of such a file looks like a cut, and everything else is known.
                return Next::Done;
            }
            let at = self.at;
            if self.slip.is_some() {
                // The frames end here. What follows need not be a box.
                look!(view, at, 1, STRETCH, return self.end(view.total));
                return self.end(view.total);
            }
            let begin = look!(view, at, SHORT_HEADER, STRETCH, return self.end(view.total));
            let length = Header::length(begin);
            let bytes = look!(view, at, length, STRETCH, return self.end(view.total));
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
            let is_stray = self.is_whole_before(at) && !is_name(name);
            let Some(end) = end.filter(|_| !is_stray) else {
                if self.is_whole_before(at) {
                    return self.end_before(at);
                }
                match self.frames_end() {
                    Some(frames) if self.has_media => {
                        self.slip = Some(slip(at, frames));
                        self.at = frames.min(NOWHERE);
                        continue;
                    }
                    _ => return self.conclude_with(wrong_length(name, at)),
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
                    let ask = size.saturating_add(BEHIND);
                    let bytes = look!(view, at, size, ask, return self.cut(at));
                    let child = Child {
                        name,
                        at,
                        body: &bytes[header.header as usize..],
                        body_at: at + header.header,
                    };
                    self.take(&child, problems);
                }
            }
            self.has_index |= name == *b"moov";
            self.at = end;
        }
    }

    fn take(&mut self, part: &Child<'_>, problems: &mut Problems) {
        if part.name == *b"moov" {
            self.movie = Some(Movie::read(part, problems));
        } else if let Some(fragments) = self.fragments() {
            match &part.name {
                b"sidx" => fragments.take_list(part, problems),
                _ => fragments.take(part, problems),
            }
        }
    }

    fn pass_listed_fragments(&mut self) {
        let at = self.at;
        if let Some(fragments) = self.fragments() {
            let behind = fragments.resume(at).min(NOWHERE);
            if behind != at {
                // What is passed over has the media.
                (self.at, self.last, self.has_media) = (behind, None, true);
            }
        }
    }

    fn fragments(&mut self) -> Option<&mut Fragments> {
        self.movie.as_mut()?.fragments.as_mut()
    }

    pub(crate) fn is_in_fragments(&self) -> bool {
        let movie = self.movie.as_ref();
        self.has_fragment || movie.is_some_and(|movie| movie.fragments.is_some())
    }

    /// Whether the index was read, and says all.
    fn is_plain(&self) -> bool {
        let movie = self.movie.as_ref();
        movie.is_some_and(|movie| movie.fragments.is_none())
    }

    /// Where the last frame ends, the last bit of sound included, if an index without fragments says it.
    fn frames_end(&self) -> Option<u64> {
        let movie = self.movie.as_ref()?;
        movie.frames_end.filter(|_| movie.fragments.is_none())
    }

    /// Whether nothing of the video is missing from a file that has all its boxes before this place.
    fn is_whole_before(&self, at: u64) -> bool {
        self.has_index && self.has_media && self.frames_end().is_none_or(|end| end <= at)
    }

    fn conclude_with(&mut self, verdict: Problem) -> Next {
        self.verdict = Some(verdict);
        Next::Done
    }

    /// What begins here is no box, and the video is whole before it.
    fn end_before(&mut self, at: u64) -> Next {
        self.is_complete = true;
        self.conclude_with(Problem::note(
            Code::TrailingData,
            Some(at),
            format!(
                "the video ends at byte {at}; what follows is not part of it, and does no harm"
            ),
        ))
    }

    /// No further box begins before the end of the file, whose length may not be known.
    fn end(&mut self, total: Option<u64>) -> Next {
        self.is_complete = true;
        let at = self.at;
        let rest_at = total.filter(|total| at < *total).map(|_| at);
        self.verdict = match (self.has_index, self.has_media, self.last) {
            (true, true, _) => match (self.frames_end(), total, rest_at) {
                (Some(frames), Some(total), _) if frames > total => {
                    Some(cut("its frames go on", frames, total))
                }
                (Some(frames), _, Some(at)) if frames > at => Some(slip(at, frames)),
                (_, _, Some(at)) if self.slip.is_none() => return self.end_before(at),
                _ => self.slip.take(),
            },
            (_, _, Some((name, at))) if self.is_open && !NEEDED.contains(&name) => {
                Some(Problem::corrupt(
                    Code::WrongSize,
                    Some(at),
                    format!(
                        "the length of the box `{}` at byte {at} is 0, which means up to the end of the file, and the video is not before it",
                        shown(name)
                    ),
                ))
            }
            (false, ..) => Some(Problem::corrupt(
                Code::MissingPart,
                None,
                "the file has no index (`moov`): it is no whole video, most likely a recording or a copy that was not finished",
            )),
            (true, false, _) => Some(Problem::corrupt(
                Code::MissingPart,
                None,
                "the file has no media (`mdat`): it ends behind its index",
            )),
        };
        Next::Done
    }

    /// The file ends before the last box, or what was passed over.
    fn cut(&mut self, total: u64) -> Next {
        let end = self.at;
        if self.slip.is_some() {
            return self.conclude_with(cut("its frames go on", end, total));
        }
        let Some((name, at)) = self.last else {
            return self.conclude_with(cut("its fragments go on", end, total));
        };
        let is_whole = match self.frames_end() {
            Some(frames) => self.has_media && frames <= total,
            None => self.has_index && self.has_media && !NEEDED.contains(&name),
        };
        if !is_whole {
            let what = match NEEDED.contains(&name) {
                true => format!("its box `{}` at byte {at} goes on", shown(name)),
                // They are short.
                false => format!(
                    "its box `{}` at byte {at}, whose length may be wrong, goes on",
                    shown(name)
                ),
            };
            return self.conclude_with(cut(&what, end, total));
        }
        if self.is_whole_before(at) {
            return self.end_before(at);
        }
        self.is_complete = true;
        self.conclude_with(Problem::unusual(
            Code::WrongSize,
            Some(at),
            format!(
                "the box `{}` at byte {at} claims to go on to byte {end}, and the file ends at byte {total}; all frames are there",
                shown(name)
            ),
        ))
    }

    /// What the walk came to. None while it goes on, and for a whole file that has nothing odd about it.
    pub(crate) fn verdict(&self) -> Option<&Problem> {
        self.verdict.as_ref()
    }

    /// Whether only the length of the file can tell that nothing is missing.
    pub(crate) fn is_open(&self) -> bool {
        let is_needed = self.last.is_some_and(|(name, _)| NEEDED.contains(&name));
        self.is_open && is_needed && self.frames_end().is_none()
    }

    /// `is_read` says whether the walk ended by itself.
    pub(crate) fn conclude(self, is_read: bool, problems: &mut Problems) -> MediaInfo {
        if let Some(verdict) = self.verdict {
            problems.push(verdict);
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
            shown(name)
        ),
    )
}

fn slip(at: u64, frames: u64) -> Problem {
    Problem::unusual(
        Code::WrongSize,
        Some(at),
        format!(
            "the length of the box that ends at byte {at} is wrong: its frames go on to byte {frames}, and all of them are there"
        ),
    )
}

fn cut(what: &str, end: u64, total: u64) -> Problem {
    let missing = end - total;
    Problem::corrupt(
        Code::Truncated,
        Some(total),
        format!(
            "the file is cut off: {what} to byte {end}, and the file ends at byte {total} ({missing} bytes are missing)"
        ),
    )
}

fn too_large(name: Name, size: u64, limit: u32, problems: &mut Problems) {
    let name = shown(name);
    problems.unknown(
        Code::TooLarge,
        format!("the box `{name}` has {size} bytes, more than the {limit} that are looked into"),
    );
}
