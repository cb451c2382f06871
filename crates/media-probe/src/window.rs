//! The bytes that are held at the moment, and what a reader waits for.

use crate::limits::Limits;

/// The bytes of a file that are held at the moment: one stretch of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    start: u64,
    bytes: Vec<u8>,
}

/// What a reader waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    /// Where it begins.
    pub(crate) at: u64,
    /// Without so many bytes there is no going on. Never more than the limit of an index.
    pub(crate) least: u64,
    /// So many are worth asking for.
    pub(crate) ask: u64,
}

/// What is known of a file while it is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) window: &'a Window,
    /// The length of the file, if it is known.
    pub(crate) total: Option<u64>,
    pub(crate) limits: Limits,
}

/// What there is to see somewhere.
pub(crate) enum Look<'a> {
    Bytes(&'a [u8]),
    /// It has not come yet.
    NotYet,
    /// The file ends before.
    Ended,
}

impl Want {
    pub(crate) fn end(self) -> u64 {
        self.at.saturating_add(self.least.max(self.ask))
    }
}

impl Window {
    /// How much memory it holds.
    pub(crate) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    pub(crate) fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }

    /// Keeps what concerns the want, and forgets the rest.
    pub(crate) fn move_to(&mut self, want: Want) {
        match want.at.checked_sub(self.start).map(usize::try_from) {
            Some(Ok(gone)) if gone <= self.bytes.len() => {
                // Moving a little for a little would be quadratic.
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

    /// Takes what continues the window, up to the end of the want. Says whether it did.
    pub(crate) fn take(&mut self, offset: u64, bytes: &[u8], want: Want) -> bool {
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
        // Room for as much again, but never for more than was wanted.
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
    pub(crate) fn look(&self, at: u64, length: u64) -> Look<'a> {
        let end = at.saturating_add(length);
        if self.total.is_some_and(|total| end > total) {
            return Look::Ended;
        }
        let there = self.window.from(at).unwrap_or_default();
        match usize::try_from(length)
            .ok()
            .and_then(|length| there.get(..length))
        {
            Some(bytes) => Look::Bytes(bytes),
            None => Look::NotYet,
        }
    }

    /// All that there is from here on.
    pub(crate) fn rest(&self, at: u64) -> &'a [u8] {
        self.window.from(at).unwrap_or_default()
    }

    /// Whether the window reaches the end of the file.
    pub(crate) fn has_end(&self) -> bool {
        self.total.is_some_and(|total| self.window.end() >= total)
    }
}
