//! Filters by state and text, with the mouse and with the keyboard.

use kling_omni_batch::ItemState;
use kling_omni_test_browser::{Browser, Key};
use serde_json::json;

use super::{check_isolation, item, page_of, shown_keys, write};

/// A window with a page of five items.
async fn open(folder: &std::path::Path) -> Option<Browser> {
    use ItemState::{Failed, Planned, Saved};
    let browser = Browser::start().await?;
    let mut failed = item("cow", Failed, "A cow in the rain");
    failed.error =
        serde_json::from_value(json!({"kind": "task_failed", "text": "a face"})).unwrap();
    let page = page_of(vec![
        item("cat", Saved, "A cat in the RAIN"),
        item("dog", Saved, "A dog in the snow"),
        failed,
        item("hen", Planned, "A hen"),
        item("rain", Saved, "A roof"),
    ]);
    browser.open_file(&write(&page, folder).await).await;
    Some(browser)
}

async fn result(browser: &Browser) -> String {
    let shown = browser.element("#shown").await;
    shown.text().await.unwrap()
}

#[tokio::test]
async fn text_and_states_are_combined() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = open(folder.path()).await else {
        return;
    };
    assert_eq!(result(&browser).await, "5 items");
    let search = browser.element("#search").await;
    for (text, keys) in [
        ("rain", &["cat", "cow", "rain"][..]),
        ("rain a cat", &["cat"]),
        ("FACE", &["cow"]),
        ("nothing", &[]),
        (" ", &["cat", "dog", "cow", "hen", "rain"]),
    ] {
        search.clear().await.unwrap();
        search.send_keys(text).await.unwrap();
        assert_eq!(shown_keys(&browser).await, keys, "{text:?}");
        let is_none = browser.element("#none").await.is_displayed().await.unwrap();
        assert_eq!(is_none, keys.is_empty(), "{text:?}");
    }
    search.clear().await.unwrap();
    search.send_keys("rain").await.unwrap();
    for (state, keys) in [
        ("saved", &["cat", "rain"][..]),
        ("failed", &["cat", "cow", "rain"]),
    ] {
        let chip = format!("input[value={state}]");
        browser.element(&chip).await.click().await.unwrap();
        assert_eq!(shown_keys(&browser).await, keys, "{state}");
    }
    assert_eq!(result(&browser).await, "3 of 5 items");
    browser.element("#clear").await.click().await.unwrap();
    assert_eq!(result(&browser).await, "5 items");
    check_isolation(&browser).await;
    browser.close().await;
}

#[tokio::test]
async fn keyboard_reaches_all_controls() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = open(folder.path()).await else {
        return;
    };
    let focused =
        "const e = document.activeElement; return [e.className || e.id || e.value || e.hash]";
    let mut order = Vec::new();
    for _ in 0..7 {
        browser.press(Key::Tab).await;
        order.extend(browser.texts(focused).await);
    }
    assert_eq!(
        order,
        [
            "skip", "#item-2", "search", "saved", "failed", "planned", "clear"
        ]
    );
    // The focus can be seen, and a space chooses a state.
    browser.element("#search").await.click().await.unwrap();
    browser.press(Key::Tab).await;
    let outline = "return getComputedStyle(document.querySelector('.chip')).outlineStyle";
    assert_eq!(browser.run(outline).await, "solid");
    browser.press(Key::Space).await;
    assert_eq!(shown_keys(&browser).await, ["cat", "dog", "rain"]);
    // A link to an item that is filtered out shows it again.
    browser
        .element("a[href='#item-2']")
        .await
        .click()
        .await
        .unwrap();
    assert_eq!(shown_keys(&browser).await.len(), 5);
    let target = "return document.querySelector(':target h3').textContent";
    assert_eq!(browser.run(target).await, "cow");
    browser.close().await;
}

#[tokio::test]
async fn a_thousand_items() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let items = (0..1_000).map(|number| {
        let state = ItemState::ALL[number % ItemState::ALL.len()];
        item(
            &format!("row-{number}"),
            state,
            &format!("A cat, number {number}"),
        )
    });
    let path = write(&page_of(items.collect()), folder.path()).await;
    browser.open_file(&path).await;
    assert_eq!(
        browser
            .run("return document.querySelectorAll('.card').length")
            .await,
        1_000
    );
    let search = browser.element("#search").await;
    search.send_keys("number 77").await.unwrap();
    assert_eq!(shown_keys(&browser).await.len(), 19);
    assert_eq!(result(&browser).await, "19 of 1,000 items");
    // Cards far below the window are not laid out.
    browser.element("#clear").await.click().await.unwrap();
    let skipped = "return document.querySelectorAll('.card')[900].querySelector('h3')
        .checkVisibility({contentVisibilityAuto: true})";
    assert_eq!(browser.run(skipped).await, false);
    browser.close().await;
}
