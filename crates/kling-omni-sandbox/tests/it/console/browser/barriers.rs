//! No page has barriers for people who use a keyboard, a screen reader or a narrow screen.

use kling_omni_test_browser::ColorScheme;

use super::{Window, fill};
use crate::harness::LIST;

const EMPTY: [&str; 5] = ["/", "/tasks", "/requests", "/deliveries", "/faults"];
const FILLED: [&str; 9] = [
    "/",
    "/tasks",
    "/tasks/1",
    "/tasks/3",
    "/requests?show=faults",
    "/requests/1",
    "/deliveries",
    "/deliveries/1",
    "/faults",
];

/// Whether axe-core is on this machine.
async fn check(window: &Window, paths: &[&str], scheme: ColorScheme, width: u32) -> bool {
    window.browser.set_color_scheme(scheme).await;
    window.browser.set_size(width, 900).await;
    for path in paths {
        window.open(path).await;
        let Some(barriers) = window.browser.barriers().await else {
            return false;
        };
        assert_eq!(barriers, [""; 0], "{path}, {scheme:?}, {width}");
        let fits = "return document.documentElement.scrollWidth <= innerWidth";
        assert_eq!(window.browser.run(fits).await, true, "{path}, {width}");
    }
    true
}

#[tokio::test]
async fn pages_have_no_barriers() {
    let Some(window) = Window::start().await else {
        return;
    };
    if check(&window, &EMPTY, ColorScheme::Light, 1280).await {
        let _received = fill(window.bench()).await;
        check(&window, &FILLED, ColorScheme::Light, 1280).await;
        check(&window, &FILLED, ColorScheme::Dark, 1280).await;
        check(&window, &FILLED, ColorScheme::Light, 390).await;
    }
    window.close().await;
}

#[tokio::test]
async fn outcomes_in_a_row_are_not_broken() {
    let Some(window) = Window::start().await else {
        return;
    };
    let _received = fill(window.bench()).await;
    let id = window.bench().sandbox.tasks()[0].id().to_owned();
    for _ in 0..8 {
        window.bench().get(&format!("{LIST}/{id}")).await;
    }
    let broken = "return [...document.querySelectorAll('.rows .badge')]
        .filter((badge) => badge.getClientRects()[0].height > 24 && badge.textContent.length < 20)
        .map((badge) => badge.textContent)";
    for width in [390, 780, 1100, 1280, 1680] {
        window.browser.set_size(width, 900).await;
        for path in ["/", "/requests?show=faults", "/deliveries"] {
            window.open(path).await;
            assert_eq!(
                window.browser.texts(broken).await,
                [""; 0],
                "{path}, {width}"
            );
        }
    }
    window.close().await;
}
