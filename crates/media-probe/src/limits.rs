//! How much a probe may cost.

/// How much a probe may cost.
///
/// What cannot be found out within the limits is a [`Problem`](crate::Problem) of the severity
/// [`Unknown`](crate::Severity::Unknown), never a reason to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How often [`Prober::request`](crate::Prober::request) names a range.
    pub requests: u32,
    /// How many bytes may be fed, those included that nobody asked for.
    pub bytes: u64,
    /// How many bytes the index (`moov`) of a video may have, and any other box that is looked into. As many may be held
    /// in memory.
    pub index: u32,
}

/// How many bytes the index of a video may have, unless it was set otherwise: 32 MiB.
const INDEX: u32 = 32 << 20;

impl Limits {
    /// For a source where each range costs a round trip: 3 requests, and 33 MiB in all.
    pub const fn remote() -> Self {
        Self {
            requests: 3,
            bytes: (INDEX as u64) + (1 << 20),
            index: INDEX,
        }
    }

    /// For files and memory: 4096 ranges, and 128 MiB in all.
    pub const fn local() -> Self {
        Self {
            requests: 4096,
            bytes: 128 << 20,
            index: INDEX,
        }
    }

    /// The same with so many requests.
    pub const fn with_requests(mut self, requests: u32) -> Self {
        self.requests = requests;
        self
    }

    /// The same with so many bytes in all.
    pub const fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// The same with so many bytes for an index.
    pub const fn with_index(mut self, index: u32) -> Self {
        self.index = index;
        self
    }
}
