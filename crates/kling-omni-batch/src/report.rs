//! What a report says about a batch: a row of CSV for each item, or a page for people.
//!
//! A [`ReportPage`] is data, and [`to_html`](ReportPage::to_html) makes one HTML file of it that needs no network: styles, script
//! and charts are in the file, and videos are named by paths relative to it.
//!
//! ```no_run
//! use kling_omni::spend::SpendGuard;
//! use kling_omni_batch::Batches;
//!
//! # async fn example() -> kling_omni_batch::BatchResult<()> {
//! let batches = Batches::open("clips/batch.db").await?;
//! let page = batches.report_page("clips", &SpendGuard::new()).await?;
//! page.write("clips/report.html").await?;
//! # Ok(())
//! # }
//! ```

mod chart;
pub(crate) mod csv;
mod failures;
mod item;
mod media_url;
mod page;
mod read;
mod text;
mod timeline;
mod view;

pub use self::item::{ItemTimes, ReportItem};
pub use self::page::{ReportPage, ReportSpend};
pub use self::timeline::{ReportTimeline, TimelineBin};
