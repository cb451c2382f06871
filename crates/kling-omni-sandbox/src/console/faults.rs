//! The armed faults, and those that can be armed by a click.

use askama::Template;

use super::Console;
use super::mask::MaskedText;
use crate::injection::ArmedRule;

/// Faults that are often tried, each with what it does.
const PRESETS: [(&str, &str); 14] = [
    (
        "create:drop@1",
        "The next create is executed and charged, and its response is lost",
    ),
    (
        "create:lost@1",
        "The next create is not executed, and its connection is closed",
    ),
    (
        "create:429=5@1",
        "The next create gets a 429 with a Retry-After of 5 s",
    ),
    (
        "create:accept-500@1",
        "The next create is executed and charged, and gets a 500",
    ),
    (
        "create:hang@1",
        "The next create is executed and charged, and gets no response",
    ),
    (
        "create:silent-failure@1",
        "The next task fails after 3 s, without a reason",
    ),
    (
        "create:moderated@1",
        "The next task completes without a video",
    ),
    (
        "status:503=1~0.2",
        "A fifth of the reads of tasks gets a 503",
    ),
    (
        "status:unknown-status=QUEUED@1-3",
        "The next 3 reads have a status that clients do not know",
    ),
    ("api:401", "Every request gets a 401: the key is not valid"),
    ("result:cut@1", "The next download is cut after half"),
    (
        "result:403@1",
        "The next download gets a 403, as with an expired URL",
    ),
    ("webhook:lost@1", "The next webhook is not sent"),
    ("webhook:duplicate@1", "The next webhook is sent twice"),
];

/// The armed faults.
#[derive(Template)]
#[template(path = "faults.html")]
pub(super) struct Faults {
    armed: Vec<ArmedFault>,
}

struct ArmedFault {
    id: u64,
    text: MaskedText,
    /// The command that arms it from the start.
    command: MaskedText,
    count: u64,
    triggered: u64,
    is_spent: bool,
}

struct Preset {
    text: &'static str,
    effect: &'static str,
}

/// The forms that arm faults.
#[derive(Template)]
#[template(path = "arm.html")]
pub(super) struct ArmForms {
    presets: Vec<Preset>,
}

impl Faults {
    pub(super) fn new(console: &Console) -> Self {
        let armed = console.service.faults.armed();
        let armed = armed.iter().map(|armed| ArmedFault::new(console, armed));
        Self {
            armed: armed.collect(),
        }
    }
}

impl ArmForms {
    pub(super) fn new() -> Self {
        let presets = PRESETS.iter();
        let presets = presets.map(|(text, effect)| Preset { text, effect });
        Self {
            presets: presets.collect(),
        }
    }
}

impl ArmedFault {
    fn new(console: &Console, armed: &ArmedRule) -> Self {
        let text = console.mask.fault(&armed.rule);
        let option = quote(&text.to_string());
        Self {
            id: armed.id,
            command: console.mask.text(&format!("--fault {option}")),
            text,
            count: armed.count,
            triggered: armed.triggered,
            is_spent: armed.count >= *armed.rule.matcher.requests.end(),
        }
    }
}

/// Quotes an argument for a POSIX shell, where it needs it.
fn quote(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:=@/+%~".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FaultRule;

    #[test]
    fn presets_are_faults() {
        for (text, _) in PRESETS {
            let rule: FaultRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
        }
    }

    #[test]
    fn options_are_quoted() {
        assert_eq!(quote("create:drop@1"), "create:drop@1");
        assert_eq!(quote("status:503=1~0.2"), "status:503=1~0.2");
        assert_eq!(quote("create:message=it's"), r"'create:message=it'\''s'");
    }
}
