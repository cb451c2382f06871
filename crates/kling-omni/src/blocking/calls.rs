//! The calls: the async builders with their options, and `run` instead of `.await`.

use std::future::IntoFuture;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::blocking::iterators::{AsCompleted, ListStream, Updates, WatchItems};
use crate::blocking::runtime::block_on;
use crate::blocking::task::{Task, Video};
use crate::clock::BootTime;
use crate::create;
use crate::engine::create::CreateOutcome;
use crate::engine::download::{self, DownloadEvent, Saved};
use crate::engine::error::Result;
use crate::engine::expected_video::ExpectedVideo;
use crate::engine::known_tasks::KnownTasks;
use crate::engine::polling::schedule::PollSchedule;
use crate::engine::recovery;
use crate::engine::recovery::reconciled::Reconciled;
use crate::engine::state::{TaskState, TaskSummary};
use crate::engine::task::{wait, watch};
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::engine::upload::{self, UploadedFile, Uploader};
#[cfg(feature = "webhook")]
use crate::engine::webhook::WebhookReceiver;
use crate::fingerprint::RequestFingerprint;
use crate::journal::{self, JournalEvent, JournalOutcome};
use crate::list;
use crate::preflight::{self, MediaChecks, PreflightReport};
use crate::refresh;
use crate::route::{Mode, Route, Tier};

/// Declares calls. A row has the async builder, the output of `run` and its conversion, and the options.
macro_rules! calls {
    ($(
        $(#[$meta:meta])*
        $name:ident $(<$life:lifetime>)? as $path:literal: $inner:ty => $output:ty, $finish:expr;
        { $($(#[$option_meta:meta])* $option:ident($($arg:ident: $type:ty),*);)* }
    )+) => {$(
        $(#[$meta])*
        #[doc = ""]
        #[doc = concat!("The blocking form of [`", $path, "`].")]
        #[derive(Debug)]
        #[must_use = "nothing happens until `run`"]
        pub struct $name $(<$life>)? (pub(super) $inner);

        impl $(<$life>)? $name $(<$life>)? {
            /// Runs the call.
            ///
            /// # Errors
            ///
            #[doc = concat!("Those of [`", $path, "`], and of [every blocking call](crate::blocking#errors).")]
            pub fn run(self) -> Result<$output> {
                let finish: fn(Result<<$inner as IntoFuture>::Output>) -> Result<$output> = $finish;
                finish(block_on(self.0.into_future()))
            }

            $(
                $(#[$option_meta])*
                #[doc = concat!("As [`", $path, "::", stringify!($option), "`].")]
                pub fn $option(self, $($arg: $type),*) -> Self {
                    Self(self.0.$option($($arg),*))
                }
            )*
        }
    )+};
}

calls! {
    /// A create, which costs money. Nothing is sent before [`run`](Self::run).
    Create as "crate::Create": create::Create => Task, |ended| ended?.map(Task::from);
    {
        mode(mode: Mode);
        route(route: Route);
        with_list_snapshot();
        with_known_tasks(known: &KnownTasks);
        not_after(time: BootTime);
        before_send(record: impl FnMut(&UnconfirmedCreate) -> io::Result<()> + Send + 'static);
        media_checks(checks: MediaChecks);
        preflight_report(report: PreflightReport);
        allow_private_networks(allow: bool);
        uploader(uploader: impl Uploader);
        on_upload_progress(callback: impl FnMut(u64, u64) + Send + 'static);
        fail_fast();
    }

    /// A wait for a task.
    Wait as "crate::polling::Wait": wait::Wait => Video, |ended| ended?.map(Video::from);
    {
        timeout(timeout: Duration);
        no_timeout();
        schedule(schedule: PollSchedule);
        on_status(callback: impl FnMut(&TaskState) + Send + 'static);
        #[cfg(feature = "webhook")]
        webhook(receiver: &WebhookReceiver);
    }

    /// A download to a file or an object.
    Save as "crate::download::Save": download::Save => Saved, |ended| ended?;
    {
        overwrite(overwrite: bool);
        sidecar(sidecar: bool);
        timeout(timeout: Duration);
        request(request: Value);
        expected(expected: ExpectedVideo);
        on_progress(callback: impl FnMut(u64, Option<u64>) + Send + 'static);
        on_event(callback: impl FnMut(&DownloadEvent) + Send + 'static);
    }

    /// A page of the account's tasks, or all of them with [`stream`](Self::stream).
    List as "crate::polling::List": list::List => Vec<TaskSummary>, |ended| ended?;
    {
        mode(mode: Mode);
        page(page: u32);
        page_size(size: u32);
    }

    /// The upload of a local file.
    Upload as "crate::upload::Upload": upload::Upload => UploadedFile, |ended| ended?;
    {
        on_progress(callback: impl FnMut(u64, u64) + Send + 'static);
    }

    /// The upload of several local files.
    UploadAll as "crate::upload::UploadAll": upload::UploadAll => Vec<UploadedFile>, |ended| ended?;
    {
        on_progress(callback: impl FnMut(u64, u64) + Send + 'static);
    }

    /// The search for the task of a create whose outcome is unknown.
    Reconcile as "crate::recovery::Reconcile": recovery::Reconcile => Reconciled, |ended| ended?;
    {
        exclude(ids: impl IntoIterator<Item = impl Into<String>>);
        known_tasks(known: &KnownTasks);
        other_creates(creates: impl IntoIterator<Item = UnconfirmedCreate>);
        settle_time(settle_time: Duration);
        until_settled();
        #[cfg(feature = "webhook")]
        webhook(receiver: &WebhookReceiver);
    }

    /// The search for the tasks of several creates whose outcomes are unknown.
    ReconcileAll as "crate::recovery::ReconcileAll": recovery::ReconcileAll => Vec<Reconciled>, |ended| ended?;
    {
        exclude(ids: impl IntoIterator<Item = impl Into<String>>);
        known_tasks(known: &KnownTasks);
        settle_time(settle_time: Duration);
        until_settled();
        #[cfg(feature = "webhook")]
        webhook(receiver: &WebhookReceiver);
    }

    /// Brings a set of known tasks up to date.
    Refresh as "crate::recovery::Refresh": refresh::Refresh => (), |ended| ended?;
    {
        only_missing();
        route(route: Route);
        tier(tier: Tier);
    }

    /// The inspection of the images and videos of a request.
    Preflight as "crate::preflight::Preflight": preflight::Preflight => PreflightReport, |ended| ended;
    {
        checks(checks: MediaChecks);
        route(route: Route);
        allow_private_networks(allow: bool);
    }

    /// A run of a journal.
    JournalRun<'a> as "crate::journal::JournalRun": journal::JournalRun<'a> => JournalOutcome, |ended| ended?;
    {
        path_by_task(path: impl FnOnce(&str) -> PathBuf + Send + 'static);
        check_destination(check: bool);
        settle_time(settle_time: Duration);
        known_tasks(known: &KnownTasks);
        #[cfg(feature = "webhook")]
        webhook(receiver: &WebhookReceiver);
        schedule(schedule: PollSchedule);
        timeout(timeout: Duration);
        on_event(callback: impl FnMut(JournalEvent) + Send + 'static);
    }
}

impl Create {
    /// As [`crate::Create::outcome`].
    ///
    /// # Errors
    ///
    /// Those of [every blocking call](crate::blocking#errors). Nothing is sent then.
    pub fn outcome(self) -> Result<CreateOutcome> {
        block_on(self.0.outcome())
    }

    /// As [`crate::Create::fingerprint`].
    pub fn fingerprint(&self) -> RequestFingerprint {
        self.0.fingerprint()
    }
}

impl Wait {
    /// As [`crate::polling::Wait::until_completed`].
    ///
    /// # Errors
    ///
    /// Those of [`crate::polling::Wait::until_completed`], and of [every blocking call](crate::blocking#errors).
    pub fn until_completed(self) -> Result<()> {
        block_on(self.0.until_completed())?
    }

    /// As [`crate::polling::Wait::updates`], as an iterator.
    pub fn updates(self) -> Updates {
        Updates::new(self.0.updates())
    }
}

impl List {
    /// As [`crate::polling::List::stream`], as an iterator over all tasks.
    pub fn stream(self) -> ListStream {
        ListStream::new(self.0.stream())
    }
}

impl Reconcile {
    /// As [`crate::recovery::Reconcile::time_left`].
    pub fn time_left(&self) -> Duration {
        self.0.time_left()
    }
}

impl ReconcileAll {
    /// As [`crate::recovery::ReconcileAll::time_left`].
    pub fn time_left(&self) -> Duration {
        self.0.time_left()
    }
}

impl JournalRun<'_> {
    /// As [`crate::journal::JournalRun::recreate`].
    pub fn recreate(self, mut create: impl FnMut() -> Create + Send + 'static) -> Self {
        Self(self.0.recreate(move || create().0))
    }
}

/// A watch of several tasks: iterate over [`updates`](Self::updates), or choose another end.
///
/// The blocking form of [`crate::polling::Watch`].
#[derive(Debug)]
#[must_use = "nothing is sent until it is iterated over"]
pub struct Watch(pub(super) watch::Watch);

impl Watch {
    /// As [`crate::polling::Watch::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        Self(self.0.timeout(timeout))
    }

    /// As [`crate::polling::Watch::no_timeout`].
    pub fn no_timeout(self) -> Self {
        Self(self.0.no_timeout())
    }

    /// As [`crate::polling::Watch::schedule`].
    pub fn schedule(self, schedule: PollSchedule) -> Self {
        Self(self.0.schedule(schedule))
    }

    /// As [`crate::polling::Watch::webhook`].
    #[cfg(feature = "webhook")]
    pub fn webhook(self, receiver: &WebhookReceiver) -> Self {
        Self(self.0.webhook(receiver))
    }

    /// The updates of all tasks, as the stream that [`crate::polling::Watch`] is.
    pub fn updates(self) -> WatchItems {
        WatchItems::new(self.0)
    }

    /// As [`crate::polling::Watch::as_completed`], as an iterator.
    pub fn as_completed(self) -> AsCompleted {
        AsCompleted::new(self.0.as_completed())
    }

    /// As [`crate::polling::Watch::wait_all`].
    ///
    /// # Errors
    ///
    /// Those of [every blocking call](crate::blocking#errors).
    pub fn wait_all(self) -> Result<Vec<Result<Video>>> {
        let videos = block_on(self.0.wait_all())?;
        Ok(videos
            .into_iter()
            .map(|video| video.map(Video::from))
            .collect())
    }
}
