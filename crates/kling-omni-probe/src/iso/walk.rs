//! From box to box over the top level of a file, which is all that is read of most.

use super::boxes::{Child, Header, LONG_HEADER, Name, SHORT_HEADER, shown};
use super::fragment::Fragments;
use super::movie::Movie;
use crate::format::Format;
use crate::probed::Probed;
use crate::problem::{Code, Problems};
use crate::reader::{Next, STRETCH, look};
use crate::window::View;

/// What is asked for behind an index: the header of the next box.
const BEHIND: u64 = LONG_HEADER;

#[derive(Debug)]
pub(crate) struct Walk {
    format: Format,
    /// Where the next box begins.
    at: u64,
    movie: Option<Movie>,
    has_media: bool,
    /// Whether the end of the file was reached.
    is_complete: bool,
}

impl Walk {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            at: 0,
            movie: None,
            has_media: false,
            is_complete: false,
        }
    }

    pub(crate) fn advance(&mut self, view: View<'_>, problems: &mut Problems) -> Next {
        loop {
            let at = self.at;
            let at = self
                .fragments()
                .map_or(at, |fragments| fragments.resume(at));
            // What is passed over has the media.
            self.has_media |= at != self.at;
            self.at = at;
            if let Some(total) = view.total
                && at >= total
            {
                if at > total {
                    cut(None, at, total, problems);
                    return Next::Done;
                }
                return self.end(problems);
            }
            // Nobody can tell the end of such a file from a cut, and all else is known.
            if view.total.is_none() && self.is_plain() && self.has_media {
                return Next::Done;
            }
            let begin = look!(view, at, SHORT_HEADER, STRETCH, return self.end(problems));
            let length = Header::length(begin);
            let bytes = look!(view, at, length, STRETCH, return self.end(problems));
            let Some(header) = Header::read(bytes) else {
                return Next::Done;
            };
            let name = header.name;
            if self.movie.is_some() && self.has_media && !is_name(name) {
                // Nobody minds what stands behind a whole video.
                return self.end(problems);
            }
            let end = match header.size {
                Some(size) => at.checked_add(size).filter(|_| header.is_possible()),
                None if matches!(&name, b"mdat" | b"moov" | b"moof") => {
                    Some(view.total.unwrap_or(u64::MAX))
                }
                None => None,
            };
            let Some(end) = end else {
                problems.broken(
                    Code::WrongSize,
                    at,
                    format!(
                        "the length of the box `{}` at byte {at} is impossible",
                        shown(name)
                    ),
                );
                return Next::Done;
            };
            if let Some(total) = view.total
                && end > total
            {
                cut(Some((name, at)), end, total, problems);
                self.has_media |= name == *b"mdat";
                return Next::Done;
            }
            self.has_media |= name == *b"mdat";
            let is_looked_into = match &name {
                b"moov" => self.movie.is_none(),
                b"moof" | b"sidx" => self.fragments().is_some(),
                _ => false,
            };
            if is_looked_into {
                let size = end - at;
                if size > view.limits.index.into() {
                    too_large(name, size, view.limits.index, problems);
                    return Next::Done;
                }
                let ask = size.saturating_add(BEHIND);
                let bytes = look!(view, at, size, ask, return Next::Done);
                let child = Child {
                    name,
                    at,
                    body: &bytes[header.header as usize..],
                    body_at: at + header.header,
                };
                self.take(&child, problems);
            }
            if end == u64::MAX {
                return self.end(problems);
            }
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

    fn fragments(&mut self) -> Option<&mut Fragments> {
        self.movie.as_mut()?.fragments.as_mut()
    }

    /// Whether the index was read, and says all.
    fn is_plain(&self) -> bool {
        let movie = self.movie.as_ref();
        movie.is_some_and(|movie| movie.fragments.is_none())
    }

    /// All boxes were seen.
    fn end(&mut self, problems: &mut Problems) -> Next {
        self.is_complete = true;
        if self.movie.is_none() {
            problems.broken_as_a_whole(
                Code::MissingPart,
                "the file has no index (`moov`): it is no whole video, most likely a recording or a copy that was not finished",
            );
        } else if !self.has_media {
            problems.broken_as_a_whole(
                Code::MissingPart,
                "the file has no media (`mdat`): it ends behind its index",
            );
        }
        Next::Done
    }

    /// `is_read` says whether the walk ended by itself.
    pub(crate) fn conclude(self, is_read: bool, problems: &mut Problems) -> Probed {
        let probed = Probed::new(Some(self.format));
        match self.movie {
            Some(movie) => movie.conclude(probed, self.is_complete && is_read, problems),
            None => probed,
        }
    }
}

fn is_name(name: Name) -> bool {
    let is_usual = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | 0xa9);
    name.iter().all(is_usual)
}

fn cut(part: Option<(Name, u64)>, end: u64, total: u64, problems: &mut Problems) {
    let missing = end - total;
    let part = match part {
        None => "the file is cut off: its fragments go on".to_owned(),
        Some((name, at)) if [*b"mdat", *b"moov", *b"moof"].contains(&name) => {
            format!(
                "the file is cut off: its box `{}` at byte {at} goes on",
                shown(name)
            )
        }
        // They are short.
        Some((name, at)) => format!(
            "the file is cut off, or its box `{}` at byte {at} has a wrong length: it goes on",
            shown(name)
        ),
    };
    problems.broken(
        Code::Truncated,
        total,
        format!(
            "{part} to byte {end}, and the file ends at byte {total} ({missing} bytes are missing)"
        ),
    );
}

fn too_large(name: Name, size: u64, limit: u32, problems: &mut Problems) {
    let name = shown(name);
    problems.unknown(
        Code::TooLarge,
        format!("the box `{name}` has {size} bytes, more than the {limit} that are looked into"),
    );
}
