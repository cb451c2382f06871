//! What the document says of one operation.

/// What the spec says of one operation.
///
/// The constants in [`crate::service`] are generated from the spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The spec's `operationId`, such as `createVideoReference`.
    pub id: &'static str,
    /// The method of [`crate::Client`], such as `create_video_reference`, by which [`crate::Transport`] is told too.
    pub name: &'static str,
    /// The HTTP method in capitals.
    pub method: &'static str,
    /// The path template below the base URL, such as `/v1/tasks/{task-id}`.
    pub path: &'static str,
}
