//! Checks of this machine: folders, proxies, and the webhook secret.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use indicatif::DecimalBytes;
use kling_omni::download::Destination;
use kling_omni::proxy_variables;
use kling_omni::webhook::{Secret, Verifier};
use kling_omni_sandbox::sign_delivery;

use super::check::Check;
use crate::command::listen::SECRET_VARIABLE;
use crate::exit::Exit;
use crate::known_tasks_file::state_folder;
use crate::{environment, input};

/// Free disk space below this is a problem: a video has a few megabytes, and the ledger of a batch must never be full.
const MIN_FREE_BYTES: u64 = 1_000_000_000;
/// The name of a file that is created and removed to try a folder.
const TRIED_FILE: &str = "kling-omni-doctor.mp4";
const DELIVERY: &[u8] = br#"{"task_id":"doctor","status":"COMPLETED"}"#;

/// Checks the proxies in the environment.
pub(super) fn check_proxies() -> Check {
    let variables = proxy_variables();
    if let Some(unusable) = variables.iter().find(|one| one.problem.is_some()) {
        let problem = unusable.problem.unwrap_or_default();
        let text = format!("the proxy in {} {problem}", unusable.name);
        return Check::broken("proxy", Exit::Usage, text).with_help(
            "use http://, https://, socks4://, socks4a://, socks5:// or socks5h://HOST:PORT, or unset the variable",
        );
    }
    let shown = variables
        .iter()
        .map(|one| format!("{}={}", one.name, one.value));
    let shown: Vec<_> = shown.collect();
    match shown.is_empty() {
        true => Check::ok("proxy", "none is set"),
        false => Check::ok("proxy", shown.join(", ")),
    }
}

/// Whether the environment names a proxy.
pub(super) fn has_proxy() -> bool {
    let variables = proxy_variables();
    let mut names = variables.iter().map(|one| one.name.to_lowercase());
    names.any(|name| name != "no_proxy")
}

/// Checks whether the secret verifies a delivery that the sandbox signs with it.
pub(super) fn check_webhook_secret() -> Check {
    let broken = |text: String| Check::broken("webhook", Exit::Access, text);
    let Some(text) = environment::variable(SECRET_VARIABLE) else {
        let text = format!("{SECRET_VARIABLE} is not set, only webhooks need it");
        return Check::ok("webhook", text);
    };
    let Some(text) = text.to_str() else {
        return broken(format!("{SECRET_VARIABLE} is not valid UTF-8"));
    };
    let secret = match Secret::new(text) {
        Ok(secret) => secret,
        Err(error) => {
            let check = broken(format!("{SECRET_VARIABLE}: {}", error.summary()));
            return check.with_optional_help(error.help());
        }
    };
    let now = SystemTime::now();
    let verified = sign_delivery(text.trim(), "doctor", now, DELIVERY).is_some_and(|headers| {
        Verifier::new(secret)
            .verify(&headers, DELIVERY, now)
            .is_ok()
    });
    match verified {
        true => Check::ok("webhook", "the secret verifies a signed delivery"),
        false => broken(format!(
            "{SECRET_VARIABLE} does not verify a delivery that is signed with it"
        ))
        .with_help("copy the secret again as the account shows it"),
    }
}

/// Checks whether a video can be saved in a folder.
pub(super) async fn check_output(folder: &Path) -> Check {
    check_folder("output", folder, folder).await
}

/// Checks the folder for the ids of the account's tasks, which is created when it is needed.
pub(super) async fn check_state() -> Check {
    match state_folder() {
        Some(folder) => check_folder("state", &folder, &nearest_existing(&folder)).await,
        None => Check::warning(
            "state",
            "there is no folder for the ids of the account's tasks",
            "set XDG_STATE_HOME or HOME to an absolute path",
        ),
    }
}

/// Writes a file in `tried` and removes it.
async fn check_folder(subject: &'static str, folder: &Path, tried: &Path) -> Check {
    let destination = Destination::new(tried.join(TRIED_FILE)).overwrite(true);
    if let Err(error) = destination.check().await {
        let text = error.summary().replace(TRIED_FILE, "");
        return Check::broken(subject, Exit::File, text)
            .with_help("create the folder, make it writable, or use another one");
    }
    let name = input::name(folder);
    match free_bytes(tried) {
        Ok(Some(free)) if free < MIN_FREE_BYTES => Check::warning(
            subject,
            format!("{name} is writable, only {} are free", DecimalBytes(free)),
            "free some space",
        ),
        Ok(Some(free)) => Check::ok(
            subject,
            format!("{name} is writable, {} are free", DecimalBytes(free)),
        ),
        Ok(None) | Err(_) => Check::ok(subject, format!("{name} is writable")),
    }
}

/// Checks the disk of a ledger.
pub(in crate::command) fn check_disk(free: u64) -> Check {
    match free < MIN_FREE_BYTES {
        false => Check::ok("disk", format!("{} are free", DecimalBytes(free))),
        true => Check::broken(
            "disk",
            Exit::File,
            format!("only {} are free", DecimalBytes(free)),
        )
        .with_help("free some space"),
    }
}

/// The nearest folder above a folder that exists, or the file that is in its place.
fn nearest_existing(folder: &Path) -> PathBuf {
    let mut above = folder.ancestors();
    let existing = above.find(|path| path.exists());
    existing.unwrap_or(folder).to_owned()
}

/// Returns the free space of a file system, where the platform tells it.
pub(in crate::command) fn free_bytes(folder: &Path) -> io::Result<Option<u64>> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    #[cfg(unix)]
    {
        let facts = rustix::fs::statvfs(folder)?;
        Ok(Some(facts.f_bavail.saturating_mul(facts.f_frsize)))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        Ok(None)
    }
}
