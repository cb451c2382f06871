//! `x-media`: what the file behind a URL has to be.

use std::cmp::Ordering;

use super::bounds::compare;
use super::document::plain;
use super::spot::Pair;
use super::words::{list, moved};
use super::{At, Comparison, Known};
use crate::rules::keywords::{
    MEDIA_ADDED, MEDIA_BOUND_LOOSENED, MEDIA_BOUND_TIGHTENED, MEDIA_FORMAT_ADDED,
    MEDIA_FORMAT_REMOVED, MEDIA_KIND_CHANGED, MEDIA_ORDER_CHANGED, MEDIA_REMOVED,
};
use crate::tree::Node;

/// The keys whose values are spans.
const SPANS: [&str; 4] = ["seconds", "pixels", "framesPerSecond", "megabytes"];

impl<'a> Comparison<'a> {
    pub fn media(&mut self, at: &At, pair: &Pair<'a>) {
        if self.is_ours_alone(pair) {
            return;
        }
        let Some(both) = pair.both() else {
            return self.presence(at, pair, "x-media", [&MEDIA_ADDED, &MEDIA_REMOVED]);
        };
        self.keys(&both, at, |this, key, pair| {
            match key {
                "kind" => this.changed(MEDIA_KIND_CHANGED.at(at.place), at, key, pair),
                "formats" => this.formats(at, pair),
                key if SPANS.contains(&key) => this.span(at, key, pair),
                _ => return Known::No,
            }
            Known::Yes
        });
    }

    fn formats(&mut self, at: &At, pair: &Pair<'a>) {
        let (added, removed) = self.sets(at, pair);
        for spot in &added {
            let message = format!("format {} is new", plain(spot.node));
            let pointer = Some(spot.pointer.clone());
            self.add(MEDIA_FORMAT_ADDED.at(at.place), at, message, None, pointer);
        }
        for spot in &removed {
            let message = format!("format {} is gone", plain(spot.node));
            let pointer = Some(spot.pointer.clone());
            self.add(
                MEDIA_FORMAT_REMOVED.at(at.place),
                at,
                message,
                pointer,
                None,
            );
        }
        let kept = |node: Option<&'a Node>, others: Option<&Node>| -> Vec<&'a str> {
            let others = others.map_or(&[][..], Node::items);
            let items = node.map_or(&[][..], Node::items).iter();
            items
                .filter(|item| others.contains(item))
                .filter_map(Node::as_text)
                .collect()
        };
        let old = kept(pair.base_node(), pair.head_node());
        let new = kept(pair.head_node(), pair.base_node());
        if old != new {
            let message = format!("order was {} and is {}", list(old), list(new));
            self.add_pair(&MEDIA_ORDER_CHANGED, at, message, pair);
        }
    }

    fn span(&mut self, at: &At, span: &str, pair: &Pair<'a>) {
        if !pair.each(|node| node.as_map().is_some()) {
            return self.unclassified(at, pair);
        }
        for (end, pair) in pair.entries() {
            let tight = match end {
                "minimum" => Ordering::Less,
                "maximum" => Ordering::Greater,
                _ => {
                    self.unclassified(at, &pair);
                    continue;
                }
            };
            if !pair.each(|node| matches!(node, Node::Number(_))) {
                self.unclassified(at, &pair);
                continue;
            }
            let tightened = match (pair.base_node(), pair.head_node()) {
                (Some(base), Some(head)) => match compare(base, head) {
                    Ordering::Equal => continue,
                    ordering => ordering == tight,
                },
                (base, _) => base.is_none(),
            };
            let family = if tightened {
                &MEDIA_BOUND_TIGHTENED
            } else {
                &MEDIA_BOUND_LOOSENED
            };
            let message = moved(
                &format!("{end} of {span}"),
                pair.base_node(),
                pair.head_node(),
            );
            self.add_pair(family.at(at.place), at, message, &pair);
        }
    }
}
