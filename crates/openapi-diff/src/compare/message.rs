//! How findings are put into words.

use crate::tree::Node;

/// Texts longer than this are cut down to what changed in them.
const SHORT: usize = 60;

/// How much of what stayed the same is shown around a change.
const AROUND: usize = 24;

/// A value as JSON on one line.
pub fn show(node: &Node) -> String {
    serde_json::to_string(node).unwrap_or_else(|error| error.to_string())
}

/// Names in a row.
pub fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<_> = names
        .into_iter()
        .map(|name| name.as_ref().to_owned())
        .collect();
    names.join(", ")
}

/// What `what` was, and what it is.
pub fn moved(what: &str, base: Option<&Node>, head: Option<&Node>) -> String {
    match (base, head) {
        (Some(Node::Text(base)), Some(Node::Text(head))) => {
            let (base, head) = difference(base, head);
            format!("{what} was {base} and is {head}")
        }
        (Some(base), Some(head)) => format!("{what} was {} and is {}", show(base), show(head)),
        (None, Some(head)) => format!("{what} is new: {}", show(head)),
        (Some(base), None) => format!("{what} is gone; it was {}", show(base)),
        (None, None) => format!("{what} is missing on both sides"),
    }
}

/// Two texts as JSON, cut down to where they differ.
fn difference(base: &str, head: &str) -> (String, String) {
    let quote = |text: &str| show(&Node::from(text));
    if base.chars().count() <= SHORT && head.chars().count() <= SHORT {
        return (quote(base), quote(head));
    }
    let old: Vec<_> = base.chars().collect();
    let new: Vec<_> = head.chars().collect();
    let front = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let room = old.len().min(new.len()) - front;
    let back = old.iter().rev().zip(new.iter().rev()).take(room);
    let back = back.take_while(|(a, b)| a == b).count();
    let cut = |text: &[char]| {
        let from = front.saturating_sub(AROUND);
        let to = (text.len() - back + AROUND).min(text.len());
        let middle: String = text[from..to].iter().collect();
        let before = if from > 0 { "…" } else { "" };
        let after = if to < text.len() { "…" } else { "" };
        quote(&format!("{before}{middle}{after}"))
    };
    (cut(&old), cut(&new))
}
