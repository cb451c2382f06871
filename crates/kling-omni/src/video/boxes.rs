use std::fmt;

const SHORT_HEADER: usize = 8;
const LONG_HEADER: usize = 16;

/// Walks over the boxes of an MP4's top level while its bytes pass by, to tell a whole file from a part of one.
///
/// What stands inside the boxes is skipped, so that neither memory nor effort depends on what a file claims.
#[derive(Debug, Default)]
pub(crate) struct Boxes {
    place: Place,
    header: [u8; LONG_HEADER],
    /// The name of the box that the walk is in, or was in last; none before the first.
    name: Option<Name>,
    has_movie: bool,
    has_media: bool,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// So many bytes of a header have passed.
    Header(usize),
    /// So many bytes of a box are still to pass.
    Body(u64),
    /// In a box that ends where the file does.
    LastBody,
}

impl Default for Place {
    fn default() -> Self {
        Self::Header(0)
    }
}

type Name = [u8; 4];

/// Why a file is no whole MP4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    /// It does not begin with `ftyp`.
    Foreign,
    /// A box is said to be shorter than its own header.
    Size(Name),
    /// The file ends inside the box, or before its length could be read.
    Cut(Option<Name>),
    /// The last box goes on to the end of the file, and nobody knows where that is.
    Endless(Name),
    /// A box that every video has is nowhere.
    Missing(&'static str),
}

impl Boxes {
    /// Takes the next bytes of the file.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<(), Defect> {
        while !bytes.is_empty() {
            match &mut self.place {
                Place::Header(filled) => {
                    let length = header_length(&self.header[..*filled]);
                    let part = bytes.len().min(length - *filled);
                    self.header[*filled..*filled + part].copy_from_slice(&bytes[..part]);
                    *filled += part;
                    bytes = &bytes[part..];
                    if *filled == header_length(&self.header[..*filled]) {
                        self.place = self.enter()?;
                    }
                }
                Place::Body(rest) => {
                    let part = bytes
                        .len()
                        .min(usize::try_from(*rest).unwrap_or(usize::MAX));
                    *rest -= part as u64;
                    bytes = &bytes[part..];
                    if *rest == 0 {
                        self.place = Place::default();
                    }
                }
                Place::LastBody => return Ok(()),
            }
        }
        Ok(())
    }

    /// Judges the file once its last byte has passed. `framed` says whether the protocol has marked that byte as the
    /// last one.
    pub(crate) fn end(&self, framed: bool) -> Result<(), Defect> {
        match (self.place, self.name) {
            (_, None) => Err(Defect::Foreign),
            (Place::Header(0), _) => Ok(()),
            (Place::Header(_), _) => Err(Defect::Cut(None)),
            (Place::Body(_), name) => Err(Defect::Cut(name)),
            (Place::LastBody, Some(name)) if !framed => Err(Defect::Endless(name)),
            (Place::LastBody, _) => Ok(()),
        }?;
        for (present, name) in [(self.has_movie, "moov"), (self.has_media, "mdat")] {
            if !present {
                return Err(Defect::Missing(name));
            }
        }
        Ok(())
    }

    /// Reads the header that is complete now.
    fn enter(&mut self) -> Result<Place, Defect> {
        let [a, b, c, d, name @ .., _, _, _, _, _, _, _, _] = self.header;
        let size = u32::from_be_bytes([a, b, c, d]);
        if self.name.is_none() && &name != b"ftyp" {
            return Err(Defect::Foreign);
        }
        self.name = Some(name);
        self.has_movie |= &name == b"moov";
        self.has_media |= &name == b"mdat";
        let rest = match size {
            0 => return Ok(Place::LastBody),
            1 => {
                let [.., a, b, c, d, e, f, g, h] = self.header;
                let size = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
                size.checked_sub(LONG_HEADER as u64)
            }
            size => u64::from(size).checked_sub(SHORT_HEADER as u64),
        };
        match rest {
            Some(0) => Ok(Place::default()),
            Some(rest) => Ok(Place::Body(rest)),
            None => Err(Defect::Size(name)),
        }
    }
}

/// How long the header is that begins so: a size of 1 announces one of 64 bits behind the name.
fn header_length(begun: &[u8]) -> usize {
    match begun {
        [0, 0, 0, 1, _, _, _, _, ..] => LONG_HEADER,
        _ => SHORT_HEADER,
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it does not begin like one"),
            Self::Size(name) => write!(f, "the length of its box `{}` is none", shown(*name)),
            Self::Cut(None) => f.write_str("it ends between two boxes"),
            Self::Cut(Some(name)) => write!(f, "it ends inside its box `{}`", shown(*name)),
            Self::Endless(name) => write!(
                f,
                "its box `{}` has no length, and neither has the answer",
                shown(*name)
            ),
            Self::Missing(name) => write!(f, "it has no box `{name}`"),
        }
    }
}

/// A name is the sender's text, and goes to terminals and logs.
fn shown(name: Name) -> String {
    name.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(pieces: &[&[u8]], framed: bool) -> Result<(), Defect> {
        let mut boxes = Boxes::default();
        for piece in pieces {
            boxes.take(piece)?;
        }
        boxes.end(framed)
    }

    const FTYP: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0";
    const MOOV: &[u8] = b"\0\0\0\x0cmoovabcd";
    const LONG: &[u8] = b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x12ab";
    const MDAT: &[u8] = b"\0\0\0\x0bmdatabc";

    /// What it is, its pieces, and the verdict.
    type Case = (&'static str, &'static [&'static [u8]], Result<(), Defect>);

    #[test]
    fn whole_files_are_told_from_parts_and_from_others() {
        let cases: &[Case] = &[
            ("whole", &[FTYP, MOOV, MDAT], Ok(())),
            ("media first", &[FTYP, MDAT, MOOV], Ok(())),
            ("a length of 64 bits", &[FTYP, LONG, MOOV], Ok(())),
            ("to the end", &[FTYP, MOOV, b"\0\0\0\0mdatabc"], Ok(())),
            ("nothing", &[], Err(Defect::Foreign)),
            (
                "too short to tell",
                &[b"\0\0\0\x10fty"],
                Err(Defect::Foreign),
            ),
            ("a web page", &[b"<html>Sorry</html>"], Err(Defect::Foreign)),
            (
                "another box first",
                &[MOOV, FTYP, MDAT],
                Err(Defect::Foreign),
            ),
            (
                "cut in a header",
                &[FTYP, MOOV, b"\0\0\0\x0bmd"],
                Err(Defect::Cut(None)),
            ),
            (
                "cut in a long header",
                &[FTYP, MOOV, b"\0\0\0\x01mdat\0\0\0\0"],
                Err(Defect::Cut(None)),
            ),
            (
                "cut in a box",
                &[FTYP, MOOV, b"\0\0\0\x0bmdatab"],
                Err(Defect::Cut(Some(*b"mdat"))),
            ),
            (
                "more than the world holds",
                &[FTYP, b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xffab"],
                Err(Defect::Cut(Some(*b"mdat"))),
            ),
            (
                "shorter than its header",
                &[FTYP, b"\0\0\0\x07free"],
                Err(Defect::Size(*b"free")),
            ),
            (
                "shorter than its long header",
                &[FTYP, b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f"],
                Err(Defect::Size(*b"free")),
            ),
            ("no movie", &[FTYP, MDAT], Err(Defect::Missing("moov"))),
            ("no media", &[FTYP, MOOV], Err(Defect::Missing("mdat"))),
        ];
        for (case, pieces, expected) in cases {
            assert_eq!(walk(pieces, true), *expected, "{case}");
            let bytes = pieces.concat();
            let single: Vec<_> = bytes.chunks(1).collect();
            assert_eq!(walk(&single, true), *expected, "{case}, byte by byte");
        }
    }

    #[test]
    fn an_end_that_nobody_marked_proves_nothing() {
        let open: &[u8] = b"\0\0\0\0mdatabc";
        assert_eq!(walk(&[FTYP, MOOV, MDAT], false), Ok(()));
        assert_eq!(
            walk(&[FTYP, MOOV, open], false),
            Err(Defect::Endless(*b"mdat"))
        );
    }
}
