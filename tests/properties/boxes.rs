use kling_omni::fuzzing::whole_mp4;

/// The first byte says how the rest, a file, is framed and cut into pieces. The verdict on it is that of a reader who has
/// the whole file in front of him, and does not depend on the pieces.
pub fn boxes(data: &[u8]) {
    let Some((choice, file)) = data.split_first() else {
        return;
    };
    let framed = choice & 1 == 1;
    let size = usize::from(choice >> 1).max(1);
    let whole = whole_mp4(&[file], framed);
    let pieces: Vec<_> = file.chunks(size).collect();
    assert_eq!(whole, whole_mp4(&pieces, framed), "in pieces of {size}");
    assert_eq!(whole.is_ok(), read(file, framed).is_some(), "{whole:?}");
    // Half a file is no file, unless it ends where a box does.
    if whole.is_ok() && framed {
        let cut = &file[..file.len() - 1];
        assert_eq!(
            whole_mp4(&[cut], framed).is_ok(),
            read(cut, framed).is_some()
        );
    }
}

/// `Some` for a file that begins with `ftyp`, has `moov` and `mdat`, and ends where its last box does.
fn read(file: &[u8], framed: bool) -> Option<()> {
    let (mut at, mut names) = (0, Vec::new());
    while at < file.len() {
        let rest = &file[at..];
        let (size, name) = (number(rest.get(..4)?), rest.get(4..8)?);
        names.push(name);
        let (length, header) = match size {
            0 if framed => (rest.len() as u64, 8),
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
