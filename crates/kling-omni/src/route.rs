//! Modes, tiers and routes: which operations create, list and read a task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::{fmt, ptr};

use kling_omni_api::Field;
use kling_omni_api::tasks::TaskCreate;
#[cfg(feature = "schemars")]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::engine::operations::{CreateOperation, ListOperation, ReadOperation};
use crate::engine::unconfirmed::UnconfirmedCreate;
use crate::named::by_name;

/// What a video is made from. The mode determines the routes that create, list and read the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Mode {
    /// A reference video: [`VideoReference`](crate::VideoReference).
    #[default]
    Reference,
    /// Text, or text and images: [`TextToVideo`](crate::TextToVideo).
    Text,
    /// A character and the motion of a reference video: [`MotionControl`](crate::MotionControl).
    MotionControl,
}

impl Mode {
    /// All modes.
    pub const ALL: &[Self] = &[Self::Reference, Self::Text, Self::MotionControl];

    /// The lists that have its tasks: one for all tiers, or one for each.
    pub(crate) fn lists(self) -> Vec<&'static ListOperation> {
        let operations = CreateRoute::all().filter(|route| route.mode() == self);
        let operations = operations.map(CreateRoute::operation);
        let listed = operations.filter(|operation| operation.is_listed);
        let mut lists: Vec<_> = listed
            .flat_map(|operation| operation.lists)
            .copied()
            .collect();
        lists.sort_by_key(|list| list.key);
        lists.dedup();
        lists
    }

    /// The operations that may read its tasks, most likely first.
    pub(crate) fn reads(self) -> &'static [&'static ReadOperation] {
        let mut by_mode = OPERATIONS.reads_by_mode.iter();
        by_mode
            .find(|(mode, _)| *mode == self)
            .map_or(&[], |(_, reads)| reads)
    }

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Text => "text",
            Self::MotionControl => "motion-control",
        }
    }
}

by_name!(Mode);

/// The route that creates a task from a reference video.
///
/// The vendor moved it once; this client supports both paths. The other modes have one route for each tier, regardless
/// of this setting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Route {
    /// The older route first. If the service reports that it does not exist (404, 405 or 410, which also means that
    /// nothing was charged), the successor. The client remembers which one exists.
    #[default]
    Auto,
    /// Only `POST /v1/ai/video/kling-v3-omni-pro/video-reference`.
    VideoReference,
    /// Only `POST /v1/ai/reference-to-video/kling-v3-omni-pro`, or its sibling for [`Tier::Standard`].
    ReferenceToVideo,
}

impl Route {
    /// All routes.
    pub const ALL: &[Self] = &[Self::Auto, Self::VideoReference, Self::ReferenceToVideo];

    /// The name in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::VideoReference => "video-reference",
            Self::ReferenceToVideo => "reference-to-video",
        }
    }

    /// The routes to try, in order, without those in `replaced`.
    pub(crate) fn routes_to_try(
        self,
        mode: Mode,
        tier: Tier,
        replaced: &[CreateRoute],
    ) -> Vec<CreateRoute> {
        let of_mode = || CreateRoute::all().filter(move |route| route.mode() == mode);
        let is_named = |route: &CreateRoute| route.task().spec().route == self.as_str();
        // The mode has a choice only if one of its routes has this name.
        let is_pinned = of_mode().any(|route| is_named(&route));
        let mut routes: Vec<_> = of_mode()
            .filter(|route| is_named(route) || !is_pinned)
            .collect();
        // A pinned route that does not support the tier stays, so the request fails with a finding about it.
        if !is_pinned || routes.iter().any(|route| route.tier() == tier) {
            routes.retain(|route| route.tier() == tier);
        }
        if !is_pinned {
            routes.retain(|route| !replaced.contains(route));
        }
        routes
    }
}

by_name!(Route);

/// The quality tier of a video. It determines the route, and thereby the price.
///
/// The vendor sets the prices; see its price list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tier {
    /// Kling 3 Omni Pro.
    #[default]
    Pro,
    /// Kling 3 Omni Standard. Of the routes for a reference video, only the successor supports it.
    Standard,
}

impl Tier {
    /// Both tiers.
    pub const ALL: &[Self] = &[Self::Pro, Self::Standard];

    /// The name in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pro => "pro",
            Self::Standard => "standard",
        }
    }
}

by_name!(Tier);

/// A creating operation of the service for which this client has a mode and a tier.
#[derive(Clone, Copy)]
pub(crate) struct CreateRoute(&'static OfferedCreate);

struct OfferedCreate {
    task: TaskCreate,
    mode: Mode,
    tier: Tier,
    operation: CreateOperation,
}

impl CreateRoute {
    /// All routes, older ones before their successors.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        OPERATIONS.creates.iter().map(Self)
    }

    /// The limits of the document for the body of this route.
    pub(crate) fn limits(self) -> &'static [Field] {
        self.0.task.spec().fields
    }

    pub(crate) fn tier(self) -> Tier {
        self.0.tier
    }

    pub(crate) fn mode(self) -> Mode {
        self.0.mode
    }

    /// The setting that selects only this route; [`Route::Auto`] if no such setting exists.
    pub(crate) fn pinned(self) -> Route {
        self.0.task.spec().route.parse().unwrap_or_default()
    }

    /// The route that replaces this one.
    pub(crate) fn successor(self) -> Option<Self> {
        let successor = self.0.task.spec().successor?;
        Self::all().find(|route| route.task() == successor)
    }

    /// The generated operation.
    pub(crate) fn task(self) -> TaskCreate {
        self.0.task
    }

    /// The operation as the engine uses it.
    pub(crate) fn operation(self) -> &'static CreateOperation {
        &self.0.operation
    }

    /// The route of an operation.
    pub(crate) fn from_operation(operation: &CreateOperation) -> Self {
        Self(&OPERATIONS.creates[operation.key])
    }
}

impl PartialEq for CreateRoute {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.0, other.0)
    }
}

impl fmt::Debug for CreateRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.operation.name)
    }
}

/// The generated table as the engine uses it. Operations of a mode or a tier that this file lacks are omitted.
static OPERATIONS: LazyLock<Operations> = LazyLock::new(Operations::new);

/// Built once and never freed, because the engine refers to operations by `&'static`.
struct Operations {
    creates: Vec<OfferedCreate>,
    reads: Vec<&'static ReadOperation>,
    reads_by_mode: Vec<(Mode, &'static [&'static ReadOperation])>,
    lists: Vec<&'static ListOperation>,
}

impl Operations {
    fn new() -> Self {
        let offered = TaskCreate::ALL.iter().filter_map(|task| {
            let spec = task.spec();
            Some((*task, spec.mode.parse().ok()?, spec.tier.parse().ok()?))
        });
        let offered: Vec<_> = offered.collect();
        let specs = || offered.iter().map(|(task, ..)| task.spec());
        let lists: BTreeSet<_> = specs().flat_map(|spec| spec.lists).collect();
        let lists = lists.into_iter().map(|list| {
            let operation = ListOperation {
                name: list.spec().family,
                max_page_size: max_page_size(list.spec().fields),
                key: *list as usize,
            };
            (*list, leak(operation))
        });
        let lists: BTreeMap<_, _> = lists.collect();
        let reads: BTreeSet<_> = specs().flat_map(|spec| spec.reads).collect();
        let reads = reads.into_iter().map(|read| {
            let operation = ReadOperation {
                name: read.spec().family,
                list: read.spec().list.map(|list| lists[&list]),
                key: *read as usize,
            };
            (*read, leak(operation))
        });
        let reads: BTreeMap<_, _> = reads.collect();
        let reads_by_mode = Mode::ALL.iter().map(|mode| {
            let of_mode = offered.iter().filter(|(_, of, _)| of == mode);
            let of_mode = of_mode.flat_map(|(task, ..)| task.spec().reads);
            let mut of_mode: Vec<_> = of_mode.map(|read| reads[read]).collect();
            let mut known = BTreeSet::new();
            of_mode.retain(|read| known.insert(read.key));
            (*mode, &*of_mode.leak())
        });
        let reads_by_mode = reads_by_mode.collect();
        let creates = offered.iter().enumerate().map(|(key, (task, mode, tier))| {
            let spec = task.spec();
            let lists: Vec<_> = spec.lists.iter().map(|list| lists[list]).collect();
            let reads: Vec<_> = spec.reads.iter().map(|read| reads[read]).collect();
            OfferedCreate {
                task: *task,
                mode: *mode,
                tier: *tier,
                operation: CreateOperation {
                    name: spec.name,
                    title: spec.title,
                    is_listed: spec.families.len() == 1 && !lists.is_empty(),
                    lists: lists.leak(),
                    reads: reads.leak(),
                    key,
                },
            }
        });
        Self {
            creates: creates.collect(),
            reads: reads.into_values().collect(),
            reads_by_mode,
            lists: lists.into_values().collect(),
        }
    }
}

fn leak<T>(operation: T) -> &'static T {
    Box::leak(Box::new(operation))
}

/// All lists of tasks.
pub(crate) fn lists() -> &'static [&'static ListOperation] {
    &OPERATIONS.lists
}

/// The operations that may read a task of unknown mode, most likely first.
pub(crate) fn reads() -> &'static [&'static ReadOperation] {
    &OPERATIONS.reads
}

/// The parameter with the number of tasks on a page.
const PAGE_SIZE: &str = "page_size";

fn max_page_size(fields: &[Field]) -> Option<u32> {
    let field = fields.iter().find(|field| field.name == PAGE_SIZE)?;
    // The limits are positive integers.
    field.maximum.map(|maximum| maximum as u32)
}

impl<'de> Deserialize<'de> for &'static CreateOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let mut all = CreateRoute::all().map(CreateRoute::operation);
        let found = all.find(|operation| operation.name == name);
        found.ok_or_else(|| de::Error::unknown_variant(&name, &[]))
    }
}

impl<'de> Deserialize<'de> for &'static ListOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = lists().iter().find(|list| list.name == name);
        found
            .copied()
            .ok_or_else(|| de::Error::unknown_variant(&name, &[]))
    }
}

/// The properties of an unconfirmed create that are specific to Kling.
impl UnconfirmedCreate {
    /// The mode of the task.
    pub fn mode(&self) -> Mode {
        CreateRoute::from_operation(self.operation()).mode()
    }

    /// The requested tier.
    pub fn tier(&self) -> Tier {
        CreateRoute::from_operation(self.operation()).tier()
    }

    /// The route that the create was sent to; [`Route::Auto`] if the mode has only one.
    pub fn route(&self) -> Route {
        CreateRoute::from_operation(self.operation()).pinned()
    }
}

impl fmt::Display for CreateRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.operation().fmt(f)
    }
}
