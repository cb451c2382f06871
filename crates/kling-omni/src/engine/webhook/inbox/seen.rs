use std::time::SystemTime;

use crate::engine::webhook::inbox::bounded::Bounded;

/// The ids of the latest deliveries.
pub(crate) struct Seen {
    ids: Bounded<SystemTime, ()>,
    /// No delivery that is younger has been forgotten.
    forgotten: Option<SystemTime>,
}

/// Whether a delivery came before.
pub(crate) enum Novelty {
    New,
    Repeated,
    /// Nobody can tell any more.
    Forgotten,
}

impl Seen {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            ids: Bounded::new(capacity),
            forgotten: None,
        }
    }

    /// Says whether a delivery is new, and remembers it if so.
    pub(crate) fn note(&mut self, id: &str, sent_at: SystemTime) -> Novelty {
        let known = self.ids.order(id);
        if known.is_none() && self.forgotten.is_some_and(|moment| sent_at <= moment) {
            return Novelty::Forgotten;
        }
        // A repetition may be signed anew: the id has to be known for as long as its last signature is good.
        let latest = known.map_or(sent_at, |known| known.max(sent_at));
        self.forgotten = self.forgotten.max(self.ids.insert(id, latest, ()));
        match known {
            Some(_) => Novelty::Repeated,
            None => Novelty::New,
        }
    }
}
