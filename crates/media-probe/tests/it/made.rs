//! Files that programs would not write, built from parts.

/// A box.
pub fn part(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes(), &name[..], body].concat()
}

/// The offset of a box's name, after the first box, which may mention other names.
pub fn position(file: &[u8], name: &[u8; 4]) -> usize {
    let first = u32::from_be_bytes(*file.first_chunk().unwrap()) as usize;
    let from = if &file[4..8] == name { 0 } else { first };
    let found = file[from..].windows(4).position(|four| four == name);
    from + found.unwrap_or_else(|| panic!("no `{}`", name.escape_ascii()))
}

/// The file with other bytes at an offset from the start of a box.
pub fn patched(file: &[u8], name: &[u8; 4], offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file.to_vec();
    let at = position(&file, name) - 4 + offset;
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

/// The file with another length of a box.
pub fn with_size(file: &[u8], name: &[u8; 4], size: u32) -> Vec<u8> {
    patched(file, name, 0, &size.to_be_bytes())
}

/// The file with a rotated first track.
pub fn rotated(file: &[u8], degrees: u16) -> Vec<u8> {
    let one = 1_i32 << 16;
    let [a, b, c, d] = match degrees {
        90 => [0, one, -one, 0],
        180 => [-one, 0, 0, -one],
        270 => [0, -one, one, 0],
        _ => [one, 0, 0, one],
    };
    let matrix: Vec<u8> = [a, b, 0, c, d, 0]
        .iter()
        .flat_map(|part| part.to_be_bytes())
        .collect();
    patched(file, b"tkhd", 48, &matrix)
}

/// The file with boxes appended to a box. All enclosing boxes grow; positions of frames are not adjusted.
pub fn inserted(file: &[u8], name: &[u8; 4], boxes: &[u8]) -> Vec<u8> {
    let target = position(file, name) - 4;
    let size = |at: usize| u32::from_be_bytes(*file[at..].first_chunk().unwrap());
    let end = target + size(target) as usize;
    let mut grown = file.to_vec();
    let mut names = vec![*name];
    // From the outermost to the innermost enclosing box.
    names.extend([*b"moov", *b"trak", *b"mdia", *b"minf", *b"stbl", *b"stsd"]);
    names.dedup();
    for name in names {
        let at = position(file, &name) - 4;
        if at <= target && at + size(at) as usize >= end {
            let size = size(at) + u32::try_from(boxes.len()).unwrap();
            grown[at..at + 4].copy_from_slice(&size.to_be_bytes());
        }
    }
    grown.splice(end..end, boxes.iter().copied());
    grown
}
