//! The known tasks of the account, with which `generate` compares a create that has a journal. Without them, the complete list
//! is read.

use kling_omni::journal::State;
use kling_omni::recovery::{KnownTasks, UnconfirmedCreate};
use kling_omni::request::Route;
use kling_omni::{Create, Mode, Tier};

use crate::connect::Connection;
use crate::known_tasks_file::KnownTasksFile;
use crate::request::Request;
use crate::{input, report};

/// The known tasks of the account, if they are kept.
#[derive(Debug, Default)]
pub(super) struct AccountTasks {
    file: Option<KnownTasksFile>,
    target: Option<Target>,
    known: Option<Stored>,
}

/// A set, and the number of its entries that are in the file.
#[derive(Clone, Debug)]
struct Stored {
    known: KnownTasks,
    entries: usize,
    /// Whether a create with the set would have entries before its mark that are not in the file.
    is_behind: bool,
}

/// What determines the lists that may have the task of a create.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    mode: Mode,
    tier: Tier,
    route: Option<Route>,
}

impl Target {
    pub(super) fn new(request: &Request, route: Option<Route>) -> Self {
        Self {
            mode: request.mode(),
            tier: request.tier(),
            route,
        }
    }
}

impl AccountTasks {
    /// Opens the file of the account, if there is a folder for it.
    pub(super) fn open(connection: &Connection, target: Option<Target>) -> Self {
        let file = KnownTasksFile::of_account(&connection.client).unwrap_or_else(|error| {
            report::warn(format_args!(
                "cannot keep the known tasks of the account, so the complete list is read: {error}"
            ));
            None
        });
        Self {
            file,
            target,
            known: None,
        }
    }

    /// Reads the set that the journal needs in its state: the one that an unconfirmed create is compared with, or one that is
    /// up to date, for a new create. Returns `None` if the create takes a list snapshot instead, which also explains a list that
    /// cannot be read.
    pub(super) async fn read(
        &mut self,
        connection: &Connection,
        state: &State,
    ) -> Option<KnownTasks> {
        let (known, is_behind) = match state {
            State::Unconfirmed(unconfirmed) => (self.of_create(unconfirmed).await?, true),
            state if state.may_create() => (self.refreshed(connection).await?, false),
            _ => return None,
        };
        self.known = Some(Stored {
            entries: known.len(),
            known: known.clone(),
            is_behind,
        });
        Some(known)
    }

    async fn refreshed(&self, connection: &Connection) -> Option<KnownTasks> {
        let (file, target) = (self.file.as_ref()?, self.target?);
        let extended = file.extend(|known| {
            let refresh = known.refresh(&connection.client, target.mode);
            let refresh = refresh.tier(target.tier);
            match target.route {
                Some(route) => refresh.route(route),
                None => refresh,
            }
        });
        extended.await.unwrap_or_else(|error| {
            report::warn(format_args!(
                "cannot use {}, so the complete list is read: {error}",
                input::name(file.path())
            ));
            None
        })
    }

    /// Returns the set that an unconfirmed create is compared with; `None` if it is compared otherwise, or the file cannot be
    /// used.
    async fn of_create(&self, unconfirmed: &UnconfirmedCreate) -> Option<KnownTasks> {
        unconfirmed.known_tasks_mark()?;
        let file = self.file.as_ref()?;
        let known = file.read().await.map_err(|error| {
            let name = input::name(file.path());
            report::warn(format_args!("cannot read {name}: {error}"));
        });
        known.ok()
    }

    /// Whether a task cannot be the one of an unconfirmed create.
    pub(super) async fn rules_out(&self, unconfirmed: &UnconfirmedCreate, id: &str) -> bool {
        let known = self.of_create(unconfirmed).await;
        known.is_some_and(|known| known.rules_out(unconfirmed, id))
    }

    /// Stores what the search for an earlier create has added to the set, before another create is sent with it.
    pub(super) fn store_before(&self, create: Create) -> Create {
        let (Some(file), Some(stored)) = (self.file.clone(), self.known.clone()) else {
            return create;
        };
        if !stored.is_behind {
            return create;
        }
        create.before_send(move |_| {
            if let Err(error) = file.store(&stored.known, stored.entries) {
                let name = input::name(file.path());
                report::warn(format_args!("cannot write {name}: {error}"));
            }
            Ok(())
        })
    }

    /// Adds the task of this run to the file. Without it, a later run can mistake it for the task of another create.
    pub(super) async fn store_own(&mut self) {
        let (Some(file), Some(stored)) = (&self.file, self.known.take()) else {
            return;
        };
        if let Err(error) = file.add_own(&stored.known, stored.entries).await {
            let name = input::name(file.path());
            report::warn(format_args!("cannot write {name}: {error}"));
        }
    }
}
