//! Takes pictures of a page: `pictures PAGE WIDTH HEIGHT LIGHT.png DARK.png`. `cargo xtask screenshots` runs it.

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() {
    use std::path::Path;

    use kling_omni_test_browser::{Browser, ColorScheme};

    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [page, width, height, light, dark] = &arguments[..] else {
        panic!("usage: pictures PAGE WIDTH HEIGHT LIGHT.png DARK.png");
    };
    let size = |text: &str| text.parse().expect("a number of pixels");
    let Some(browser) = Browser::start().await else {
        std::process::exit(1);
    };
    browser.set_size(size(width), size(height)).await;
    browser.open_file(Path::new(page)).await;
    browser.wait_for_videos().await;
    for (scheme, file) in [(ColorScheme::Light, light), (ColorScheme::Dark, dark)] {
        browser.set_color_scheme(scheme).await;
        std::fs::write(file, browser.still_screenshot().await).expect("the picture can be written");
    }
    browser.close().await;
}

#[cfg(not(unix))]
fn main() {}
