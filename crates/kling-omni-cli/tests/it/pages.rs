//! Pages of reports in a browser: what they show, and that they load nothing from elsewhere.

mod filters;
mod hostile;
mod ledger;
mod looks;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kling_omni::{Mode, Tier};
use kling_omni_batch::report::{ReportItem, ReportPage};
use kling_omni_batch::{BatchState, ItemState};
use kling_omni_test_browser::Browser;

/// A page of a batch with these items.
fn page_of(items: Vec<ReportItem>) -> ReportPage {
    let mut page = ReportPage::new("cats", SystemTime::now());
    page.state = Some(BatchState::Done);
    page.items = items;
    page
}

/// An item with a prompt and a state.
fn item(key: &str, state: ItemState, prompt: &str) -> ReportItem {
    let mut item = ReportItem::new(key, state, Mode::Text, Tier::Pro);
    prompt.clone_into(&mut item.prompt);
    item
}

/// Writes a page to a folder.
async fn write(page: &ReportPage, folder: &Path) -> PathBuf {
    let path = folder.join("report.html");
    page.write(&path).await.unwrap();
    path
}

/// Fails if the page ran or loaded anything from outside of its folder, or if the browser found fault with it.
async fn check_isolation(browser: &Browser) {
    let page = browser.driver().current_url().await.unwrap();
    let folder = page.join(".").unwrap();
    for url in browser.requested_urls().await {
        let is_own = url.starts_with(folder.as_str()) || url.starts_with("data:");
        assert!(is_own, "{url} was requested");
    }
    let none = Vec::<String>::new();
    assert_eq!(browser.policy_violations().await, none);
    assert_eq!(browser.console().await, none);
}

/// The keys of the cards that are shown.
async fn shown_keys(browser: &Browser) -> Vec<String> {
    let script =
        "return [...document.querySelectorAll('.card')].filter((card) => card.checkVisibility())
        .map((card) => card.querySelector('h3').textContent)";
    browser.texts(script).await
}
