//! The data of a page, and the file that it becomes.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use askama::Template as _;
use kling_omni::spend::{Amount, SpendGuard, Spent};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::blocking::run_blocking;
use crate::error::{BatchError, BatchResult};
use crate::report::view::PageView;
use crate::report::{ReportItem, ReportTimeline};
use crate::state::BatchState;

/// What a page shows about a batch, or about a single video.
///
/// ```
/// use kling_omni::{Mode, Tier};
/// use kling_omni_batch::ItemState;
/// use kling_omni_batch::report::{ReportItem, ReportPage};
///
/// let mut page = ReportPage::new("<cats>", std::time::SystemTime::now());
/// page.items.push(ReportItem::new("cat", ItemState::Saved, Mode::Text, Tier::Pro));
/// let html = page.to_html("clips".as_ref())?;
/// assert!(html.contains("&#60;cats&#62;"));
/// # Ok::<(), kling_omni_batch::BatchError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReportPage {
    /// The name of the batch, or of the video.
    pub name: String,
    /// The state of the batch. `None` for a single video.
    pub state: Option<BatchState>,
    /// Why a run paused the batch.
    pub reason: Option<String>,
    /// When the data was read, in milliseconds since 1970.
    pub read_at_ms: u64,
    /// What was paid for, and the limits.
    pub spend: ReportSpend,
    /// What happened over time.
    pub timeline: Option<ReportTimeline>,
    /// The items, in the order of the import.
    pub items: Vec<ReportItem>,
}

/// What was paid for, and the limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ReportSpend {
    /// What was paid for, or may have been.
    pub spent: Spent,
    /// The largest number of tasks.
    pub max_tasks: Option<u64>,
    /// The largest number of seconds of video.
    pub max_seconds: Option<u64>,
    /// The largest amount of money.
    pub max_money: Option<Amount>,
    /// The currency of the price table. Without one, nothing is said about money.
    pub currency: Option<String>,
}

/// The limits of a guard, as it is serialised.
#[derive(Default, Deserialize)]
struct GuardLimits {
    max_tasks: Option<u64>,
    max_seconds: Option<u64>,
    max_money: Option<Amount>,
    prices: Option<GuardPrices>,
}

#[derive(Deserialize)]
struct GuardPrices {
    currency: String,
}

impl ReportSpend {
    /// The limits and the currency of a guard, with nothing spent.
    pub fn of_guard(guard: &SpendGuard) -> Self {
        let limits = serde_json::to_value(guard).and_then(serde_json::from_value);
        let limits: GuardLimits = limits.unwrap_or_default();
        Self {
            spent: Spent::default(),
            max_tasks: limits.max_tasks,
            max_seconds: limits.max_seconds,
            // The guard of a price table without a limit.
            max_money: limits.max_money.filter(|max| max.micros() != u64::MAX),
            currency: limits.prices.map(|prices| prices.currency),
        }
    }
}

impl ReportPage {
    /// A page without items, whose data was read at this time.
    pub fn new(name: impl Into<String>, read_at: SystemTime) -> Self {
        Self {
            name: name.into(),
            state: None,
            reason: None,
            read_at_ms: milliseconds(read_at),
            spend: ReportSpend::default(),
            timeline: None,
            items: Vec::new(),
        }
    }

    /// Returns the page as HTML for a file in this folder. Paths of videos are relative to it.
    ///
    /// # Errors
    ///
    /// [`BatchError::File`] if the folder is empty and the current one cannot be determined.
    pub fn to_html(&self, folder: &Path) -> BatchResult<String> {
        let resolved = std::path::absolute(folder.join("report.html"))
            .map(|file| file.parent().unwrap_or(folder).to_owned())
            .map_err(BatchError::file("find", folder))?;
        let html = PageView::new(self, &resolved).render();
        html.map_err(|error| BatchError::file("write", folder)(io::Error::other(error)))
    }

    /// Writes the page to a file, which is replaced at once when the page is complete and on disk.
    ///
    /// # Errors
    ///
    /// [`BatchError::File`] if the file cannot be written. An existing one is unchanged then.
    pub async fn write(&self, path: impl Into<PathBuf>) -> BatchResult<()> {
        let path = path.into();
        let html = self.to_html(parent(&path))?;
        run_blocking(move || {
            replace_file(&path, html.as_bytes()).map_err(BatchError::file("write", &path))
        })
        .await
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The folder of a file.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The names of temporary files begin and end like this.
const PART: (&str, &str) = (".report-", ".part");

/// Replaces a file durably, so its readers see the old or the new content.
fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    // A rename would also replace a pipe or a device, such as the one behind `/dev/stdout`.
    if path.metadata().is_ok_and(|existing| !existing.is_file()) {
        return Err(io::Error::other("it exists and is not a regular file"));
    }
    let folder = parent(path);
    let mut file = create_part(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Creates a temporary file that is locked while it is open, and removes those that killed processes have left.
fn create_part(folder: &Path) -> io::Result<NamedTempFile> {
    remove_orphans(folder);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PART.0).suffix(PART.1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // As any other new file: the umask applies.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    loop {
        let file = builder.tempfile_in(folder)?;
        // Without locks, orphans are not removed either.
        let _ = file.as_file().lock();
        // Before it was locked, another process may have taken it for an orphan.
        if file.path().exists() {
            return Ok(file);
        }
    }
}

/// Removes the temporary files that no process has locked, as far as that is possible.
fn remove_orphans(folder: &Path) {
    for entry in folder.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_part = name.starts_with(PART.0) && name.ends_with(PART.1);
        // Opening a pipe would block.
        if !is_part || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        // Names are random, so a file that was renamed meanwhile is not found under its old one.
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(path);
        }
    }
}
