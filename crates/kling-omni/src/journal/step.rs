//! The moments at which tests end the process.

/// A moment at which a process may die: see `Journal::on_step`. The name is that of the record in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "test-hooks"), expect(unreachable_pub))]
pub enum Step<'a> {
    /// The record is about to be written.
    Writing(&'a str),
    /// The record is on disk, and what it announces has not begun.
    Written(&'a str),
}
