//! The limits of a probe.

/// The limits of a probe.
///
/// A property that cannot be determined within the limits is a [`Problem`](crate::Problem) with the severity
/// [`Unknown`](crate::Severity::Unknown).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The maximum number of ranges that [`Prober::request`](crate::Prober::request) returns.
    pub requests: u32,
    /// The maximum number of fed bytes, including bytes that were not requested.
    pub bytes: u64,
    /// The maximum size in bytes of the index (`moov`) of a video, and of any other parsed box. The probe may buffer as
    /// much.
    pub index: u32,
}

/// The default of [`Limits::index`]: 32 MiB.
const INDEX: u32 = 32 << 20;

impl Limits {
    /// The limits for a source where each range costs a round trip: 3 requests, and 33 MiB in total.
    pub const fn remote() -> Self {
        Self {
            requests: 3,
            bytes: (INDEX as u64) + (1 << 20),
            index: INDEX,
        }
    }

    /// The limits for files and memory: 4096 ranges, and 128 MiB in total.
    pub const fn local() -> Self {
        Self {
            requests: 4096,
            bytes: 128 << 20,
            index: INDEX,
        }
    }

    /// Sets the maximum number of requests.
    pub const fn with_requests(mut self, requests: u32) -> Self {
        self.requests = requests;
        self
    }

    /// Sets the maximum number of fed bytes.
    pub const fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the maximum size of an index.
    pub const fn with_index(mut self, index: u32) -> Self {
        self.index = index;
        self
    }
}
