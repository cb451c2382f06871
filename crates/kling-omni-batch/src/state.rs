//! The states of batches, items and attempts.

use serde::{Deserialize, Serialize};

/// Declares an enum of states with their names in the ledger.
macro_rules! states {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// All states.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in the ledger.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::state::UnknownState;

            fn from_str(text: &str) -> Result<Self, $crate::state::UnknownState> {
                let mut all = Self::ALL.iter();
                let found = all.find(|state| state.as_str() == text);
                found.copied().ok_or_else(|| $crate::state::UnknownState(text.to_owned()))
            }
        }
    };
}

pub(crate) use states;

/// A text that is not the name of a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown state {0:?}")]
pub struct UnknownState(pub(crate) String);

states! {
    /// The state of a batch.
    #[non_exhaustive]
    BatchState {
        /// A run creates tasks, or will when one is started.
        Running = "running",
        /// Nothing is created until the batch is resumed. What is paid for is still saved.
        Paused = "paused",
        /// Nothing is created, and a run ends when what is paid for is saved.
        Stopped = "stopped",
        /// All items have ended.
        Done = "done",
    }
}

states! {
    /// The state of an item.
    #[non_exhaustive]
    ItemState {
        /// Imported. Its files are not uploaded yet.
        Planned = "planned",
        /// Ready to be sent: inspected, and its files are uploaded.
        Prepared = "prepared",
        /// Its create is announced, and the outcome is not known yet.
        Sending = "sending",
        /// A paid task exists.
        Created = "created",
        /// The task is completed, and its video is not saved yet.
        Ended = "ended",
        /// The video is complete on disk and about to get its name.
        Publishing = "publishing",
        /// The video is saved.
        Saved = "saved",
        /// The request cannot be sent, or the service rejected it. Nothing was paid.
        Rejected = "rejected",
        /// The task failed, or its video could not be fetched. It was paid, unless the service refunds failed tasks.
        Failed = "failed",
        /// The video was not fetched before its URL expired. It was paid and is lost.
        Expired = "expired",
        /// It is not known whether a task exists. A person has to decide.
        Unknown = "unknown",
        /// Not sent, because the same request failed before.
        Skipped = "skipped",
    }
}

impl ItemState {
    /// Whether a run has nothing left to do for the item. [`Unknown`](Self::Unknown) needs a decision of a person.
    pub fn is_final(self) -> bool {
        use ItemState::{Expired, Failed, Rejected, Saved, Skipped, Unknown};
        matches!(
            self,
            Saved | Rejected | Failed | Expired | Unknown | Skipped
        )
    }

    /// Whether a paid task of the item is running or waits to be saved.
    pub fn is_in_flight(self) -> bool {
        matches!(self, Self::Created | Self::Ended | Self::Publishing)
    }
}

states! {
    /// The state of an attempt to create the task of an item.
    #[non_exhaustive]
    AttemptState {
        /// Nothing was sent.
        Prepared = "prepared",
        /// The create is about to be sent, or was sent by a process that has ended.
        Announced = "announced",
        /// The response was lost.
        Unknown = "unknown",
        /// The settle time is over, and it is still not known whether a task exists.
        Undecided = "undecided",
        /// A paid task exists.
        Created = "created",
        /// The create certainly made no task.
        Rejected = "rejected",
        /// A decision to try again released the item.
        Closed = "closed",
    }
}

impl AttemptState {
    /// Whether the attempt was paid, or may have been.
    pub fn may_be_paid(self) -> bool {
        matches!(
            self,
            Self::Announced | Self::Unknown | Self::Undecided | Self::Created
        )
    }

    /// Whether another create of the account has to wait for this one.
    pub fn is_unconfirmed(self) -> bool {
        matches!(self, Self::Announced | Self::Unknown)
    }
}
