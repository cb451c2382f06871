//! Searches everything that is logged or shown for secrets.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{Debug, Display};

use serde::Serialize;

use kling_omni_test_support::log::Log;

/// The part that every secret of a row contains: keys, webhook secrets, and the tokens of URLs.
pub const CANARY: &str = "canary";
const SECRETS: [&str; 3] = [CANARY, "hmac=", "token=exp"];

/// All output of a row.
#[derive(Default)]
pub struct Watch {
    pub log: Log,
    printed: RefCell<Vec<String>>,
}

impl Watch {
    pub fn text(&self, text: &impl Display) {
        self.printed.borrow_mut().push(text.to_string());
    }

    pub fn object(&self, object: &impl Debug) {
        let both = [format!("{object:?}"), format!("{object:#?}")];
        self.printed.borrow_mut().extend(both);
    }

    pub fn json(&self, object: &impl Serialize) {
        let json = serde_json::to_string(object).expect("it can be written as JSON");
        self.printed.borrow_mut().push(json);
    }

    pub fn error(&self, error: &kling_omni::Error) {
        self.object(error);
        self.text(error);
        self.text(&error.summary());
        self.text(&error.help().unwrap_or_default());
        self.json(&(
            error.kind(),
            error.charged(),
            error.invalid_params(),
            error.unconfirmed_create(),
        ));
        let mut cause = error.source();
        while let Some(next) = cause {
            self.object(&next);
            self.text(&next);
            cause = next.source();
        }
    }

    /// The secrets that were shown, each with its location.
    pub fn leaks(&self) -> Vec<String> {
        let log = self.log.text();
        assert!(!log.is_empty(), "nothing was logged");
        let printed = self.printed.borrow();
        let logged = log.lines().map(|line| ("log", line));
        let shown = printed.iter().map(|text| ("texts", text.as_str()));
        let texts: Vec<_> = logged.chain(shown).collect();
        let found = texts.into_iter().flat_map(|(place, text)| {
            let secrets = SECRETS.into_iter().filter(|secret| text.contains(secret));
            secrets.map(move |secret| format!("`{secret}` in the {place}: {text}"))
        });
        found.collect()
    }
}

#[test]
fn a_leak_is_found() {
    let watch = Watch::default();
    {
        let _guard = tracing::subscriber::set_default(watch.log.subscriber());
        tracing::trace!(url = "https://h.example/?token=exp=1", "asked");
    }
    watch.object(&"a canary in a coal mine");
    assert_eq!(watch.leaks().len(), 3, "{:?}", watch.leaks());
}
