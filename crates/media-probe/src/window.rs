//! The buffered bytes, and the part that a parser needs.

use crate::limits::Limits;

/// The buffered bytes: one contiguous part of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    start: u64,
    bytes: Vec<u8>,
}

/// The part that a parser needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    /// The offset of its start.
    pub(crate) at: u64,
    /// The number of bytes without which the parser cannot continue, at most the limit of an index.
    pub(crate) min: u64,
    /// The number of bytes to request.
    pub(crate) ask: u64,
}

/// The state of a file during the probe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) window: &'a Window,
    /// The length of the file, if it is known.
    pub(crate) total: Option<u64>,
    pub(crate) limits: Limits,
}

/// The bytes at an offset.
pub(crate) enum Part<'a> {
    Bytes(&'a [u8]),
    /// They are not buffered yet.
    Pending,
    /// The file ends before them.
    EndOfFile,
}

impl Want {
    pub(crate) fn end(self) -> u64 {
        self.at.saturating_add(self.min.max(self.ask))
    }
}

impl Window {
    /// The allocated bytes.
    pub(crate) fn buffered(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }

    /// Drops the bytes before the needed part.
    pub(crate) fn move_to(&mut self, want: Want) {
        match want.at.checked_sub(self.start).map(usize::try_from) {
            Some(Ok(gone)) if gone <= self.bytes.len() => {
                // Dropping few bytes at a time would be quadratic.
                if gone > self.bytes.len() / 2 {
                    self.bytes.drain(..gone);
                    self.start = want.at;
                }
            }
            _ => {
                self.bytes = Vec::new();
                self.start = want.at;
            }
        }
    }

    /// Appends bytes that continue the window, up to the end of the needed part. Returns whether bytes were appended.
    pub(crate) fn append(&mut self, offset: u64, bytes: &[u8], want: Want) -> bool {
        let Some(known) = self.end().checked_sub(offset) else {
            return false;
        };
        let Some(fresh) = usize::try_from(known)
            .ok()
            .and_then(|known| bytes.get(known..))
        else {
            return false;
        };
        let room = want.end().saturating_sub(self.end());
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let fresh = &fresh[..fresh.len().min(room)];
        if fresh.is_empty() {
            return false;
        }
        // Doubles the capacity, but never beyond the needed part.
        let more = fresh.len().max(self.bytes.len()).min(room);
        if self.bytes.capacity() - self.bytes.len() < fresh.len() {
            self.bytes.reserve_exact(more);
        }
        self.bytes.extend_from_slice(fresh);
        true
    }

    fn from(&self, at: u64) -> Option<&[u8]> {
        let skipped = usize::try_from(at.checked_sub(self.start)?).ok()?;
        self.bytes.get(skipped..)
    }
}

impl<'a> View<'a> {
    pub(crate) fn get(&self, at: u64, length: u64) -> Part<'a> {
        let end = at.saturating_add(length);
        if self.total.is_some_and(|total| end > total) {
            return Part::EndOfFile;
        }
        let there = self.window.from(at).unwrap_or_default();
        match usize::try_from(length)
            .ok()
            .and_then(|length| there.get(..length))
        {
            Some(bytes) => Part::Bytes(bytes),
            None => Part::Pending,
        }
    }

    /// All buffered bytes from an offset on.
    pub(crate) fn rest(&self, at: u64) -> &'a [u8] {
        self.window.from(at).unwrap_or_default()
    }

    /// Whether the window reaches the end of the file.
    pub(crate) fn has_end(&self) -> bool {
        self.total.is_some_and(|total| self.window.end() >= total)
    }
}
