//! Brings a set of known tasks up to date.

use std::collections::BTreeSet;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;

use crate::client::Client;
use crate::context::Context;
use crate::engine::error::Result;
use crate::engine::known_tasks::KnownTasks;
use crate::engine::operations::ListOperation;
use crate::engine::recovery::read_lists::{Depth, read_lists};
use crate::route::{CreateRoute, Mode, Route, Tier};

impl KnownTasks {
    /// Brings the set up to date with the lists that may have tasks of a mode. Await the returned [`Refresh`], or set options
    /// on it first.
    ///
    /// The first time, the lists are read to their end. Later, one request for each list is enough if the list begins with
    /// new tasks and then continues as before, and if it is known to have the newest tasks first. That is known once tasks of
    /// this set have appeared in front so often that it cannot be chance: once in a list of 10,000 tasks, a few times in a
    /// shorter one. In all other cases, the list is read to its end again.
    ///
    /// Concurrent calls for one set wait for each other. A list that changes while it is read to its end, or is longer than
    /// [`max_list_pages`](crate::ClientBuilder::max_list_pages), is incomplete, and a create with the set is not settled by it
    /// ([`AmbiguityReason::ListIncomplete`](crate::recovery::AmbiguityReason::ListIncomplete)).
    ///
    /// # Errors
    ///
    /// Those of reading the lists.
    pub fn refresh(&self, client: &Client, mode: Mode) -> Refresh {
        Refresh {
            known: self.clone(),
            context: Arc::clone(client.context()),
            mode,
            tier: None,
            route: None,
            only_missing: false,
        }
    }

    /// Whether the service had all lists that may have tasks of a mode, at the last [`refresh`](Self::refresh). It has no list
    /// for an account without tasks of that kind, and a create that is lost then can only be settled by a person
    /// ([`AmbiguityReason::NoListBefore`](crate::recovery::AmbiguityReason::NoListBefore)). Once a task exists, a refresh makes
    /// the next creates certain.
    pub fn has_lists(&self, client: &Client, mode: Mode) -> bool {
        let lists = self.refresh(client, mode).lists();
        lists.into_iter().all(|list| self.has_list(list))
    }
}

/// A refresh of a set of known tasks: see [`KnownTasks::refresh`].
#[must_use = "nothing is read until it is awaited"]
pub struct Refresh {
    known: KnownTasks,
    context: Arc<Context>,
    mode: Mode,
    tier: Option<Tier>,
    route: Option<Route>,
    only_missing: bool,
}

impl Refresh {
    /// Reads only the lists that may have tasks of this tier. Default: all tiers.
    pub fn tier(mut self, tier: Tier) -> Self {
        self.tier = Some(tier);
        self
    }

    /// Reads only the lists that may have tasks of this route: see [`Create::route`](crate::Create::route). Default: the route
    /// of the client.
    pub fn route(mut self, route: Route) -> Self {
        self.route = Some(route);
        self
    }

    /// Reads only the lists that the service did not have at their last reading, as for an account without tasks. Default: all
    /// lists.
    pub fn only_missing(mut self) -> Self {
        self.only_missing = true;
        self
    }

    /// The lists with which a create of this mode is compared: those of the first route that is tried.
    fn lists(&self) -> Vec<&'static ListOperation> {
        let replaced = self.context.replaced();
        let route = self.route.unwrap_or(self.context.route);
        let tiers = Tier::ALL.iter().copied();
        let tiers = tiers.filter(|tier| self.tier.is_none_or(|only| only == *tier));
        let routes = tiers.map(|tier| route.routes_to_try(self.mode, tier, &replaced));
        let first = routes.filter_map(|routes| routes.first().copied());
        let lists = first.map(CreateRoute::operation);
        let lists: BTreeSet<_> = lists
            .flat_map(|operation| operation.lists)
            .copied()
            .collect();
        lists.into_iter().collect()
    }

    async fn run(self) -> Result<()> {
        let mut lists = self.lists();
        if self.only_missing {
            lists.retain(|list| !self.known.has_list(list));
        }
        read_lists(&self.context.inner, &self.known, &lists, Depth::Newest).await
    }
}

impl IntoFuture for Refresh {
    type Output = Result<()>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh")
            .field("mode", &self.mode)
            .field("tier", &self.tier)
            .field("route", &self.route)
            .field("only_missing", &self.only_missing)
            .finish_non_exhaustive()
    }
}
