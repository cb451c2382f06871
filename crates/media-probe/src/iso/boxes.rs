//! The boxes of an MP4 or a MOV.

use crate::problem::{Code, Problems};

/// The name of a box.
pub(crate) type Name = [u8; 4];

/// The length of a header without, and with, a 64-bit length.
pub(crate) const SHORT_HEADER: u64 = 8;
pub(crate) const LONG_HEADER: u64 = 16;

/// The header of a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: Name,
    /// The length of the header.
    pub(crate) header: u64,
    /// The length of the box; `None` if it extends to the end of the file.
    pub(crate) size: Option<u64>,
}

/// A box in another box.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child<'a> {
    pub(crate) name: Name,
    /// Its offset in the file.
    pub(crate) at: u64,
    /// Its content.
    pub(crate) body: &'a [u8],
    /// The offset of its content in the file.
    pub(crate) body_at: u64,
}

/// The boxes in a box, up to the first damaged one.
#[derive(Debug)]
pub(crate) struct Children<'a, 'p> {
    bytes: &'a [u8],
    at: u64,
    problems: &'p mut Problems,
}

impl Header {
    /// The length of the header with these first 8 bytes: a size of 1 means that a 64-bit one follows the name.
    pub(crate) fn length(begin: &[u8]) -> u64 {
        match begin {
            [0, 0, 0, 1, _, _, _, _, ..] => LONG_HEADER,
            _ => SHORT_HEADER,
        }
    }

    /// Reads a header; `None` without enough bytes.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, d, e, f, g, h, ..] = bytes else {
            return None;
        };
        let name = [e, f, g, h];
        let (header, size) = match u32::from_be_bytes([a, b, c, d]) {
            0 => (SHORT_HEADER, None),
            1 => (LONG_HEADER, Some(u64_at(bytes, 8)?)),
            size => (SHORT_HEADER, Some(size.into())),
        };
        Some(Self { name, header, size })
    }

    /// Whether the box is at least as long as its header.
    pub(crate) fn is_possible(self) -> bool {
        self.size.is_none_or(|size| size >= self.header)
    }
}

impl<'a> Child<'a> {
    pub(crate) fn children<'p>(&self, problems: &'p mut Problems) -> Children<'a, 'p> {
        Children::new(self.body, self.body_at, problems)
    }

    /// Reports that the box is too short for its content.
    pub(crate) fn report_too_short(&self, problems: &mut Problems) {
        if problems.is_full() {
            return;
        }
        let (name, at) = (escape_name(self.name), self.at);
        problems.corrupt(
            Code::WrongSize,
            at,
            format!("the box `{name}` at byte {at} is too short for its content"),
        );
    }
}

impl<'a, 'p> Children<'a, 'p> {
    pub(crate) fn new(bytes: &'a [u8], at: u64, problems: &'p mut Problems) -> Self {
        Self {
            bytes,
            at,
            problems,
        }
    }

    /// The first box.
    pub(crate) fn first(mut self) -> Option<(Child<'a>, &'p mut Problems)> {
        let (child, _) = self.next()?;
        Some((child, self.problems))
    }

    /// The next box, with the problems, which an iterator could not lend.
    pub(crate) fn next(&mut self) -> Option<(Child<'a>, &mut Problems)> {
        let bytes = std::mem::take(&mut self.bytes);
        // A QuickTime list may end with 4 zeros.
        if bytes.len() < SHORT_HEADER as usize || bytes.iter().all(|byte| *byte == 0) {
            return None;
        }
        let header = Header::read(bytes).filter(|header| header.is_possible());
        let size = header.and_then(|header| usize::try_from(header.size?).ok());
        let (Some(header), Some(size)) = (header, size.filter(|size| *size <= bytes.len())) else {
            if !self.problems.is_full() {
                let name = escape_name([bytes[4], bytes[5], bytes[6], bytes[7]]);
                let at = self.at;
                self.problems.corrupt(
                    Code::WrongSize,
                    at,
                    format!("the length of the box `{name}` at byte {at} is impossible"),
                );
            }
            return None;
        };
        let (one, rest) = bytes.split_at(size);
        let child = Child {
            name: header.name,
            at: self.at,
            body: &one[header.header as usize..],
            body_at: self.at + header.header,
        };
        self.bytes = rest;
        self.at += size as u64;
        Some((child, self.problems))
    }
}

/// Escapes a name, which is text of the file, for terminals and logs.
pub(crate) fn escape_name(name: Name) -> String {
    name.escape_ascii().to_string()
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}
