//! The pages of the console, and their paths.

use std::fmt;

use url::form_urlencoded;

use crate::record::{Host, ReceivedRequest};

/// A page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Overview,
    Tasks {
        before: Option<u64>,
    },
    Task(u64),
    Requests {
        filter: RequestFilter,
        before: Option<u64>,
    },
    Request(u64),
    Deliveries {
        before: Option<u64>,
    },
    Delivery(u64),
    Faults,
}

/// Which requests a page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RequestFilter {
    #[default]
    All,
    Api,
    Results,
    Storage,
    Errors,
    Faults,
}

impl View {
    /// Parses a path and a query. Returns `None` if there is no such page.
    pub(super) fn parse(path: &str, query: Option<&str>) -> Option<Self> {
        let pairs = || form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let value = |name: &str| {
            pairs()
                .find(|(found, _)| found == name)
                .map(|(_, value)| value)
        };
        let before = match value("before") {
            Some(number) => Some(number.parse().ok()?),
            None => None,
        };
        let filter = match value("show") {
            Some(name) => RequestFilter::parse(&name)?,
            None => RequestFilter::All,
        };
        let mut parts = path.strip_prefix('/')?.split('/');
        let (section, number) = (parts.next()?, parts.next());
        if parts.next().is_some() {
            return None;
        }
        let number = match number {
            Some(number) => Some(number.parse().ok()?),
            None => None,
        };
        match (section, number) {
            ("", None) => Some(Self::Overview),
            ("tasks", None) => Some(Self::Tasks { before }),
            ("tasks", Some(number)) => Some(Self::Task(number)),
            ("requests", None) => Some(Self::Requests { filter, before }),
            ("requests", Some(number)) => Some(Self::Request(number)),
            ("deliveries", None) => Some(Self::Deliveries { before }),
            ("deliveries", Some(number)) => Some(Self::Delivery(number)),
            ("faults", None) => Some(Self::Faults),
            _ => None,
        }
    }

    pub(super) fn title(self) -> String {
        match self {
            Self::Overview => "Overview".to_owned(),
            Self::Tasks { .. } => "Tasks".to_owned(),
            Self::Task(number) => format!("Task {number}"),
            Self::Requests { .. } => "Requests".to_owned(),
            Self::Request(number) => format!("Request {number}"),
            Self::Deliveries { .. } => "Webhooks".to_owned(),
            Self::Delivery(number) => format!("Delivery {number}"),
            Self::Faults => "Faults".to_owned(),
        }
    }

    /// Returns the path of the list that the page belongs to.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Tasks { .. } | Self::Task(_) => "/tasks",
            Self::Requests { .. } | Self::Request(_) => "/requests",
            Self::Deliveries { .. } | Self::Delivery(_) => "/deliveries",
            Self::Faults => "/faults",
        }
    }

    /// Returns the class of the layout.
    pub(super) fn layout(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Task(_) => "task-page",
            _ => "list",
        }
    }
}

impl fmt::Display for View {
    /// Formats the path and the query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overview | Self::Faults => f.write_str(self.section()),
            Self::Tasks { before } | Self::Deliveries { before } => {
                f.write_str(self.section())?;
                before.map_or(Ok(()), |number| write!(f, "?before={number}"))
            }
            Self::Requests { filter, before } => f.write_str(&filter.path(*before)),
            Self::Task(number) | Self::Request(number) | Self::Delivery(number) => {
                write!(f, "{}/{number}", self.section())
            }
        }
    }
}

impl RequestFilter {
    pub(super) const ALL: [Self; 6] = [
        Self::All,
        Self::Api,
        Self::Results,
        Self::Storage,
        Self::Errors,
        Self::Faults,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Api => "api",
            Self::Results => "results",
            Self::Storage => "storage",
            Self::Errors => "errors",
            Self::Faults => "faults",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.name() == name)
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::All => "All",
            Self::Api => "API",
            Self::Results => "Results",
            Self::Storage => "Storage",
            Self::Errors => "Errors",
            Self::Faults => "With a fault",
        }
    }

    /// Returns the path of the list with this filter.
    pub(super) fn path(self, before: Option<u64>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if self != Self::All {
            query.append_pair("show", self.name());
        }
        if let Some(number) = before {
            query.append_pair("before", &number.to_string());
        }
        let query = query.finish();
        match query.as_str() {
            "" => "/requests".to_owned(),
            query => format!("/requests?{query}"),
        }
    }

    pub(super) fn matches(self, request: &ReceivedRequest) -> bool {
        match self {
            Self::All => true,
            Self::Api => request.host() == Host::Api,
            Self::Results => request.host() == Host::Results,
            Self::Storage => request.host() == Host::Storage,
            Self::Errors => is_error(request),
            Self::Faults => request.faults().next().is_some(),
        }
    }
}

/// Returns whether the response is an error, or was not sent completely.
fn is_error(request: &ReceivedRequest) -> bool {
    let is_cut = |sent: &crate::SentResponse| sent.ended_at().is_some() && !sent.is_complete();
    request
        .status()
        .is_some_and(|status| status.as_u16() >= 400)
        || request.response().is_some_and(is_cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_parsed() {
        for path in [
            "/",
            "/tasks",
            "/tasks?before=7",
            "/tasks/3",
            "/requests",
            "/requests?show=errors",
            "/requests?show=api&before=9",
            "/requests/12",
            "/deliveries",
            "/deliveries/2",
            "/faults",
        ] {
            let (path_only, query) = match path.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (path, None),
            };
            let view = View::parse(path_only, query).unwrap();
            assert_eq!(view.to_string(), path);
        }
        for path in [
            "",
            "tasks",
            "/tasks/",
            "/tasks/x",
            "/tasks/3/4",
            "/nothing",
            "/faults/1",
        ] {
            assert_eq!(View::parse(path, None), None, "{path}");
        }
        for query in ["before=-1", "before=x", "show=nothing"] {
            assert_eq!(View::parse("/requests", Some(query)), None, "{query}");
        }
    }
}
