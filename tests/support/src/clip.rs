//! The smallest files that pass for an MP4.

/// A file with all that every MP4 has, and `media` bytes that cannot be decoded.
pub fn mp4(media: usize) -> Vec<u8> {
    let pictures: Vec<u8> = (0..media).map(|at| (at % 251) as u8).collect();
    [
        boxed(b"ftyp", b"isom\0\0\0\0"),
        boxed(b"moov", b"what's where"),
        boxed(b"mdat", &pictures),
    ]
    .concat()
}

/// One box.
pub fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(8 + content.len()).unwrap();
    [&size.to_be_bytes(), name.as_slice(), content].concat()
}
