use http::StatusCode;

/// The form of a 400 answer to a request that breaks the schema. The service documents all but `Fields`, which was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProblemForm {
    /// `application/problem+json`: `{"message":…,"invalid_params":[{"name":…,"reason":…},…]}`.
    #[default]
    Flat,
    /// `application/problem+json`: the same below `problem`.
    Nested,
    /// `application/json`: `{"message":…,"invalid_params":[{"field":…,"reason":…},…]}`.
    Fields,
    /// `application/json`: `{"message":…}` only.
    Message,
}

/// Whether the older creating route, `createVideoReference`, is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VideoReferenceRoute {
    /// It creates tasks.
    #[default]
    Available,
    /// It answers 404 and creates nothing.
    NotFound,
    /// It answers 405 and creates nothing.
    MethodNotAllowed,
    /// It answers 410 and creates nothing.
    Gone,
}

impl VideoReferenceRoute {
    pub(crate) fn refusal(self) -> Option<StatusCode> {
        match self {
            Self::Available => None,
            Self::NotFound => Some(StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => Some(StatusCode::METHOD_NOT_ALLOWED),
            Self::Gone => Some(StatusCode::GONE),
        }
    }
}

/// Where the tasks of the older creating route are read; the service does not document it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusRoute {
    /// At `getReferenceToVideoTask` and in `listReferenceToVideoTasks`, beside the tasks of the successor routes.
    #[default]
    ReferenceToVideo,
    /// At `getVideoTask` and in `listVideoTasks`, beside the tasks from text and images.
    Video,
}
