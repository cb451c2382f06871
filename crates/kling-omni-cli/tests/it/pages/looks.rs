//! Pages without barriers: in light and dark, on a narrow screen and on paper.

use kling_omni_batch::report::{ReportItem, ReportPage};
use kling_omni_batch::{BatchState, ItemState};
use kling_omni_test_browser::{Browser, ColorScheme};
use serde_json::json;

use super::{item, page_of, write};

/// A page with each part that a page can have.
fn full_page() -> ReportPage {
    let items = ItemState::ALL.iter().enumerate().map(|(number, state)| {
        let mut item: ReportItem = item(&format!("cat-{number}"), *state, "A cat by the window");
        item.seconds = 5;
        item.task_id = Some("046b6c7f-0b8a-43b9-b35d-6489e6daee91".to_owned());
        if state.is_final() && *state != ItemState::Saved {
            let error = json!({"kind": state.as_str(), "text": "the reason"});
            item.error = serde_json::from_value(error).unwrap();
        }
        if *state == ItemState::Saved {
            item.video = Some("clip.mp4".into());
            item.findings = vec!["4.9 s instead of 5 s".to_owned()];
            item.prompt = "A cat by the window. ".repeat(30);
        }
        item
    });
    let mut page = page_of(items.collect());
    page.state = Some(BatchState::Paused);
    page.reason = Some("the account is out of credits".to_owned());
    page.spend.max_tasks = Some(20);
    page.spend.spent.tasks = 9;
    page.spend.currency = Some("EUR".to_owned());
    page.timeline = serde_json::from_value(json!({
        "start_ms": 1_764_547_200_000_u64, "width_ms": 10_000,
        "bins": [{"in_flight": 2, "creates": 2, "saved": 0, "failed": 0}, {"in_flight": 1, "creates": 0, "saved": 1, "failed": 1}],
    }))
    .unwrap();
    page
}

#[tokio::test]
async fn pages_have_no_barriers() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let single = {
        let mut page = page_of(vec![item("046b6c7f", ItemState::Saved, "A cat")]);
        page.state = None;
        page
    };
    for (name, page) in [
        ("full", full_page()),
        ("empty", page_of(Vec::new())),
        ("single", single),
    ] {
        let path = write(&page, folder.path()).await;
        for (scheme, width) in [
            (ColorScheme::Light, 1280),
            (ColorScheme::Dark, 1280),
            (ColorScheme::Light, 390),
        ] {
            browser.set_color_scheme(scheme).await;
            browser.set_size(width, 900).await;
            browser.open_file(&path).await;
            let Some(barriers) = browser.barriers().await else {
                return;
            };
            assert_eq!(
                barriers,
                Vec::<String>::new(),
                "{name}, {scheme:?}, {width}"
            );
            let overflow = "return document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(browser.run(overflow).await, true, "{name}, {width}");
        }
    }
    browser.close().await;
}

#[tokio::test]
async fn dark_page_is_dark() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    browser
        .open_file(&write(&full_page(), folder.path()).await)
        .await;
    let brightness =
        "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]";
    for (scheme, is_dark) in [(ColorScheme::Light, false), (ColorScheme::Dark, true)] {
        browser.set_color_scheme(scheme).await;
        let value = browser.run(brightness).await.as_u64().unwrap();
        assert_eq!(value < 60, is_dark, "{scheme:?}: {value}");
    }
    browser.close().await;
}

#[tokio::test]
async fn printed_page_has_all_items_and_no_controls() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    browser
        .open_file(&write(&full_page(), folder.path()).await)
        .await;
    let pdf = browser.print().await;
    assert!(pdf.starts_with(b"%PDF-"));
    browser
        .devtools("Emulation.setEmulatedMedia", json!({"media": "print"}))
        .await;
    let shown = "return ['#filters', '.skip', 'video', '.card'].map((part) =>
        `${part} ${[...document.querySelectorAll(part)].filter((e) => e.checkVisibility({contentVisibilityAuto: true})).length}`)";
    let expected = ["#filters 0", ".skip 0", "video 0", ".card 12"];
    assert_eq!(browser.texts(shown).await, expected);
    browser.close().await;
}
