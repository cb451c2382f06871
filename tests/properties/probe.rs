//! Media files of any content.

/// Whatever a file claims to be, every way to read it shows the same, within the limits, and says why what is not known is
/// not.
pub fn probe(data: &[u8]) {
    media_probe::property::check(data);
}
