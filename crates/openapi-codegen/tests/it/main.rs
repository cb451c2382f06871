//! The generator, tested on edits of the document of this workspace.

mod lint;
mod output;
mod prepare;

mod document;
