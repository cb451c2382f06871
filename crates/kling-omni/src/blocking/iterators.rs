//! The iterators: the async streams, one item at a time.

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt as _;

use crate::blocking::runtime::block_on;
use crate::blocking::task::{Task, Video};
use crate::engine::download;
use crate::engine::error::Result;
use crate::engine::state::TaskSummary;
use crate::engine::task::updates::{self, Update};
use crate::engine::task::watch::{self, WatchItem};
use crate::list;

/// Declares iterators. A row has the stream, and the conversion of an item.
macro_rules! iterators {
    ($($(#[$meta:meta])* $name:ident as $path:literal: $stream:ty => $item:ty, $convert:expr;)+) => {$(
        $(#[$meta])*
        ///
        #[doc = concat!("The blocking form of [`", $path, "`]. An item is an error, and the last one, if a")]
        /// [blocking call](crate::blocking#errors) is not possible.
        #[derive(Debug)]
        #[must_use = "iterators do nothing unless consumed"]
        pub struct $name(Option<$stream>);

        impl $name {
            pub(super) fn new(stream: $stream) -> Self {
                Self(Some(stream))
            }
        }

        impl Iterator for $name {
            type Item = Result<$item>;

            fn next(&mut self) -> Option<Self::Item> {
                let item = match block_on(self.0.as_mut()?.next()) {
                    Ok(Some(item)) => {
                        let convert: fn(<$stream as Stream>::Item) -> Self::Item = $convert;
                        return Some(convert(item));
                    }
                    Ok(None) => None,
                    Err(error) => Some(Err(error)),
                };
                self.0 = None;
                item
            }
        }
    )+};
}

iterators! {
    /// The updates of a task, which end with the task.
    Updates as "crate::polling::Updates": updates::Updates => Update, std::convert::identity;

    /// All tasks of a list. Pages are read as they are needed.
    ListStream as "crate::polling::ListStream": list::ListStream => TaskSummary, std::convert::identity;

    /// The bytes of a video, in chunks.
    Download as "crate::download::Download": download::Download => Bytes, std::convert::identity;

    /// The updates of several tasks.
    WatchItems as "crate::polling::Watch": watch::Watch => WatchItem, Ok;

    /// Tasks with their results, in order of completion.
    AsCompleted as "crate::polling::AsCompleted": watch::AsCompleted => (Task, Result<Video>),
        |(task, video)| Ok((Task::from(task), video.map(Video::from)));
}

impl Download {
    /// As [`crate::download::Download::length`]. `None` after the last chunk.
    pub fn length(&self) -> Option<u64> {
        self.0.as_ref()?.length()
    }
}
