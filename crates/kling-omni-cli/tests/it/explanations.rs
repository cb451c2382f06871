//! The explanations for tasks without a video, and for tasks of another account.

use crate::support::{Program, Server};

#[test]
fn task_without_a_video() {
    for (fault, says) in [
        ("create:moderated", "content filter"),
        (
            "createVideoPro:silent-failure=0s",
            "the account or the tier",
        ),
        ("create:plan-limit", "upgrade the plan"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let line = format!("generate --sandbox -p x -d 3 --fault {fault}");
        let ended = Program::new(folder.path(), &line).run();
        let code = if fault.contains("plan") { 3 } else { 4 };
        let shown = ended.expect(code).to_string();
        assert!(shown.contains(says), "{shown}");
    }
}

#[test]
fn malformed_header_lines_are_accepted() {
    for line in ["X Bad Header: 1", r"Set-Cookie: a=1\r\n   XSa: b"] {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::new(
            folder.path(),
            "generate --sandbox -p x -d 3 -o clip.mp4 --fault",
        );
        let ended = program.arg(&format!("api:header={line}")).run().expect(0);
        assert_eq!(ended.stdout, "clip.mp4\n");
    }
}

#[test]
#[cfg(unix)]
fn task_of_another_account() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(Program::new(
        folder.path(),
        "sandbox --json --task-time 0 --account-per-key --api-key mine --api-key yours",
    ));
    let started = server.event();
    let url = started["base_url"].as_str().unwrap().to_owned();
    let program = |line: &str, key: &str| {
        Program::new(folder.path(), line)
            .env("KLING_OMNI_BASE_URL", &url)
            .env("FREEPIK_API_KEY", key)
            .run()
    };
    program("generate -p x -d 3 -o clip.mp4", "mine").expect(0);
    let listed = program("list --json", "mine").expect(0).json();
    let id = listed["task_id"].as_str().unwrap().to_owned();
    program(&format!("status {id}"), "mine").expect(0);
    let shown = program(&format!("status {id}"), "yours")
        .expect(2)
        .to_string();
    assert!(shown.contains("other accounts get 404"), "{shown}");
    server.running.interrupt();
}
