//! The probe itself, which names ranges and takes bytes.

use std::ops::Range;

use crate::iso::walk::Walk;
use crate::limits::Limits;
use crate::media_info::MediaInfo;
use crate::problem::{Code, Problems};
use crate::reader::{Next, Reader, Unread};
use crate::window::{View, Want, Window};

/// Probes a file without reading it: the caller does the I/O.
///
/// The prober names the range that it needs next, always further into the file than the one before, and accepts whatever
/// it is fed: more than that range, less, in pieces, or the file from its beginning if a server does not support ranges.
/// So a driver is a loop:
///
/// ```
/// use media_probe::{Limits, Prober};
///
/// # fn get(range: std::ops::Range<u64>) -> (u64, Vec<u8>, Option<u64>) {
/// #     (range.start, Vec::new(), Some(0))
/// # }
/// let mut prober = Prober::new(Limits::remote());
/// while let Some(range) = prober.request() {
///     // What came, where it begins, and the length of the whole file, if the source says so.
///     let (offset, bytes, total) = get(range);
///     if let Some(total) = total {
///         prober.set_total(total);
///     }
///     prober.feed(offset, &bytes);
/// }
/// let info = prober.finish();
/// # assert!(info.is_corrupt());
/// ```
///
/// A driver that gets a body in pieces feeds each at its offset and stops reading at [`Step::Done`], or when
/// [`Step::Need`] names bytes so far ahead that another request is cheaper than reading up to there. One whose server sends
/// the whole file from its beginning just goes on feeding; [`Limits::bytes`] ends it.
#[derive(Clone, Debug)]
pub struct Prober {
    limits: Limits,
    total: Option<u64>,
    window: Window,
    reader: Reader,
    /// What is wanted; none when all is known that can be.
    want: Option<Want>,
    problems: Problems,
    requests: u32,
    bytes: u64,
}

/// What a [`Prober`] needs next.
///
/// There is nothing else that it could need, so a driver may match on it exhaustively.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// These bytes are wanted next; the first ones of them help, too. The range is never empty, and may reach beyond the
    /// end of a file whose length is not known.
    Need(Range<u64>),
    /// No more bytes are wanted, or the limits are reached.
    Done,
}

impl Prober {
    /// Creates a prober that has been fed nothing yet.
    pub fn new(limits: Limits) -> Self {
        Self::reading(limits, false)
    }

    /// A probe that reads a video to its end, whether or not that is known.
    pub(crate) fn thorough(limits: Limits) -> Self {
        Self::reading(limits, true)
    }

    fn reading(limits: Limits, is_thorough: bool) -> Self {
        let (reader, want) = Reader::new(limits, is_thorough);
        Self {
            limits,
            total: None,
            window: Window::default(),
            reader,
            want: Some(want),
            problems: Problems::default(),
            requests: 0,
            bytes: 0,
        }
    }

    /// Tells the length of the whole file in bytes. Only the first call counts.
    ///
    /// Tell it as soon as it is known, since what is cut off is recognised by it: with HTTP it stands in `Content-Range`, of
    /// a 206 as of a 416, or is the `Content-Length` of a 200. A source whose length shows only when it ends says so here,
    /// with the offset of its end.
    pub fn set_total(&mut self, total: u64) {
        if self.total.is_none() {
            self.total = Some(total);
            self.go_on();
        }
    }

    /// The length of the whole file in bytes, if it was told.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Takes bytes that begin at this offset. Bytes that are of no use are passed over, and those that would leave a gap are,
    /// too.
    pub fn feed(&mut self, offset: u64, bytes: &[u8]) -> Step {
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        while let Some(want) = self.want
            && self.window.take(offset, bytes, want)
        {
            self.go_on();
        }
        self.step()
    }

    /// What is wanted now.
    pub fn step(&self) -> Step {
        match self.range() {
            Some(range) => Step::Need(range),
            None => Step::Done,
        }
    }

    /// What to ask the source for, and counts it: none when nothing is wanted, or when the limits are reached.
    pub fn request(&mut self) -> Option<Range<u64>> {
        match self.step() {
            Step::Need(range) if self.requests < self.limits.requests => {
                self.requests += 1;
                Some(range)
            }
            _ => None,
        }
    }

    /// How often a range was asked for.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// How many bytes were fed.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The walk over a file of boxes; none before it is known to be one, and for any other.
    pub(crate) fn walk(&self) -> Option<&Walk> {
        self.reader.walk()
    }

    /// How many bytes it holds in memory.
    pub(crate) fn held(&self) -> usize {
        self.window.held()
    }

    /// What was found out. A probe that wants more says in its problems what remained unknown.
    pub fn finish(self) -> MediaInfo {
        let mut problems = self.problems;
        let unread = match self.want {
            None => None,
            Some(_) if self.bytes >= self.limits.bytes || self.requests >= self.limits.requests => {
                Some(Unread::Limit)
            }
            Some(_) => Some(Unread::Source),
        };
        let mut probed = self.reader.conclude(unread, &mut problems);
        probed.bytes = self.total;
        if self.total.is_none() && (probed.video.is_some() || probed.image.is_some()) {
            problems.unknown(
                Code::LengthUnknown,
                "the length of the file is not known, so that it may be cut off",
            );
        }
        probed.with_problems(problems)
    }

    /// The bytes that are wanted and not held.
    fn range(&self) -> Option<Range<u64>> {
        let want = self.want?;
        let start = want.at.max(self.window.end());
        let left = self.limits.bytes.saturating_sub(self.bytes);
        let end = want.end().min(start.saturating_add(left));
        let end = self.total.map_or(end, |total| end.min(total));
        (start < end).then_some(start..end)
    }

    /// Lets the reader go on as long as it can with what is there.
    fn go_on(&mut self) {
        while let Some(want) = self.want {
            let view = View {
                window: &self.window,
                total: self.total,
                limits: self.limits,
            };
            let is_there = self.window.end() >= want.at.saturating_add(want.least);
            if !is_there && !view.has_end() && self.total.is_none_or(|total| want.at < total) {
                return;
            }
            match self.reader.advance(view, &mut self.problems) {
                Next::Want(next) => {
                    self.window.move_to(next);
                    self.want = Some(next);
                }
                Next::Done => {
                    self.want = None;
                    self.window = Window::default();
                }
            }
        }
    }
}
