//! Whether a video is whole: in pieces, as a file, and by a second reader.

use media_probe::{Code, Completeness, Problem, probe_bytes};

/// The first byte says whether the end of the rest, a file, is known, and how it is cut into pieces. The verdict does not
/// depend on the pieces, a probe of the same file gives the same one in the same words, and a file that a simple reader
/// finds whole is whole.
pub fn completeness(data: &[u8]) {
    let Some((choice, file)) = data.split_first() else {
        return;
    };
    let is_end_known = choice & 1 == 1;
    let size = usize::from(choice >> 1).max(1);
    let whole = verdict(&[file], is_end_known);
    let pieces: Vec<_> = file.chunks(size).collect();
    assert_eq!(whole, verdict(&pieces, is_end_known), "in pieces of {size}");
    let probed = probe_bytes(file);
    let is_probed = |problem: &Problem| probed.problems.contains(problem);
    match &whole {
        Ok(Some(oddity)) => assert!(is_probed(oddity), "{oddity:?} is not in {probed:?}"),
        Ok(None) => assert!(
            !probed
                .problems
                .iter()
                .any(|problem| matches!(problem.code, Code::Truncated | Code::TrailingData))
        ),
        Err(problem) if matches!(problem.code, Code::LengthUnknown | Code::NotMedia) => {}
        Err(problem) => assert!(is_probed(problem), "{problem:?} is not in {probed:?}"),
    }
    if read(file, is_end_known).is_some() {
        let lacks_frames = |problem: &Problem| problem.message.contains("its frames extend");
        assert!(
            whole.as_ref().err().is_none_or(lacks_frames),
            "{whole:?} of a file whose boxes are whole"
        );
    }
}

fn verdict(pieces: &[&[u8]], is_end_known: bool) -> Result<Option<Problem>, Problem> {
    let mut completeness = Completeness::new();
    for piece in pieces {
        completeness.feed(piece)?;
    }
    completeness.finish(is_end_known)
}

/// `Some` for a file that begins with `ftyp`, has `moov` and `mdat`, and ends where its last box does.
fn read(file: &[u8], is_end_known: bool) -> Option<()> {
    let (mut at, mut names) = (0, Vec::new());
    while at < file.len() {
        let rest = &file[at..];
        let (size, name) = (number(rest.get(..4)?), rest.get(4..8)?);
        names.push(name);
        let (length, header) = match size {
            0 if is_end_known => (rest.len() as u64, 8),
            0 => return None,
            1 => (number(rest.get(8..16)?), 16),
            size => (size, 8),
        };
        if names[0] != b"ftyp" || length < header || length > rest.len() as u64 {
            return None;
        }
        at += usize::try_from(length).ok()?;
    }
    let has = |name: &[u8]| names.contains(&name);
    (has(b"moov") && has(b"mdat")).then_some(())
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}
