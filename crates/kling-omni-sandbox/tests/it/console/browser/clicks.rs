//! What the buttons do, with and without the script.

use kling_omni_test_browser::Key;
use serde_json::json;

use super::{Window, fill};
use crate::harness::{PRO, request_body};

async fn create(window: &Window) -> u16 {
    window.bench().post(PRO, &request_body()).await.status
}

#[tokio::test]
async fn fault_is_armed_and_disarmed_by_a_click() {
    let Some(window) = Window::start().await else {
        return;
    };
    for page in ["/", "/faults"] {
        window.open(page).await;
        window.click("[aria-label='Arm api:401']").await;
        window.wait_for_text("faults", "api:401").await;
        assert_eq!(create(&window).await, 401);
        window.wait_for_text("faults", "applied 1").await;
        let command = window.text("#faults .quiet code").await;
        assert_eq!(command, "kling-omni sandbox --fault api:401");
        window.click("[aria-label='Disarm api:401']").await;
        window
            .wait_for_text("faults", "All requests are answered")
            .await;
        assert_eq!(create(&window).await, 200);
    }
    window.close().await;
}

#[tokio::test]
async fn fault_is_armed_by_the_keyboard() {
    let Some(window) = Window::start().await else {
        return;
    };
    window.open("/faults").await;
    let field = window.browser.element("#rule").await;
    field.send_keys("create:dorp").await.unwrap();
    window.browser.press(Key::Enter).await;
    window.wait_for_text("notice", "unknown fault `dorp`").await;
    let value = window
        .browser
        .run("return document.getElementById('rule').value")
        .await;
    assert_eq!(value, "create:dorp");
    field.clear().await.unwrap();
    field.send_keys("create:429=7@1").await.unwrap();
    window.browser.press(Key::Enter).await;
    window.wait_for_text("faults", "create:429=7@1").await;
    window
        .wait_for("document.getElementById('notice').textContent === ''")
        .await;
    assert_eq!(create(&window).await, 429);
    assert_eq!(create(&window).await, 200);
    window.wait_for_text("faults", "used up").await;
    // The field has the focus, and is empty again.
    let focused = window
        .browser
        .run("return document.activeElement.id + document.activeElement.value")
        .await;
    assert_eq!(focused, "rule");
    // A bad request is logged by the browser.
    window.browser.close().await;
}

#[tokio::test]
async fn copied_command_has_the_fault_with_all_spaces() {
    let Some(window) = Window::start().await else {
        return;
    };
    let fault = "create:message=a  b   c";
    window.bench().sandbox.inject(fault.parse().unwrap());
    let copied = "getSelection().selectAllChildren(document.querySelector('#faults .quiet code'));
        return getSelection().toString()";
    for page in ["/", "/faults"] {
        window.open(page).await;
        let command = format!("kling-omni sandbox --fault '{fault}'");
        assert_eq!(window.browser.run(copied).await, command, "{page}");
    }
    window.close().await;
}

#[tokio::test]
async fn delivery_is_sent_again_by_a_click() {
    let Some(window) = Window::start().await else {
        return;
    };
    let mut received = fill(window.bench()).await;
    let mut bodies = Vec::new();
    for _ in 0..2 {
        bodies.push(received.recv().await.unwrap());
    }
    window.open("/deliveries").await;
    window.click("#redeliver-1").await;
    let (headers, body) = received.recv().await.unwrap();
    assert_eq!(body, bodies[0].1);
    assert_eq!(headers["webhook-id"], bodies[0].0["webhook-id"]);
    window.wait_for_text("deliveries", "Delivery 3").await;
    assert_eq!(window.bench().sandbox.deliveries().len(), 3);
    window.close().await;
}

#[tokio::test]
async fn pages_work_without_the_script() {
    let Some(window) = Window::start().await else {
        return;
    };
    let disabled = json!({"value": true});
    window
        .browser
        .devtools("Emulation.setScriptExecutionDisabled", disabled)
        .await;
    let mut received = fill(window.bench()).await;
    window.browser.open(&window.url("/faults")).await;
    window.click("[aria-label='Arm api:401']").await;
    let source = window.browser.driver().source().await.unwrap();
    assert!(source.contains("Disarm api:401"), "{source}");
    assert_eq!(create(&window).await, 401);
    window.click("#disarm-all").await;
    assert_eq!(create(&window).await, 200);
    window.browser.open(&window.url("/tasks/1")).await;
    window.click("a[href='/deliveries/1']").await;
    window.click("#redeliver-1").await;
    for _ in 0..3 {
        received.recv().await.unwrap();
    }
    let source = window.browser.driver().source().await.unwrap();
    assert!(source.contains("Reload the page to update it"), "{source}");
    assert!(source.contains("<h1>Delivery 1</h1>"), "{source}");
    window.browser.close().await;
}
