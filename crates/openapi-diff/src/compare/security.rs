//! Credentials: which alternatives an operation takes, and what each of them is.

use std::collections::{BTreeMap, BTreeSet};

use super::message::list;
use super::node_ref::{NodeChange, NodePair, NodeRef};
use super::{Comparison, Known, Location};
use crate::rule::Rule;
use crate::rules::operation::{
    GLOBAL_SECURITY_ADDED, GLOBAL_SECURITY_REMOVED, SCHEME_CHANGED, SECURITY_ADDED,
    SECURITY_BECAME_OPTIONAL, SECURITY_BECAME_REQUIRED, SECURITY_REMOVED, SECURITY_SCOPE_ADDED,
    SECURITY_SCOPE_REMOVED,
};
use crate::tree::{Node, join};

/// One way to authenticate.
struct Alternative<'a> {
    /// The schemes by what they are, each with its scopes.
    schemes: BTreeMap<String, BTreeSet<&'a str>>,
    /// The schemes by what the document calls them.
    names: BTreeSet<&'a str>,
    node_ref: NodeRef<'a>,
}

impl<'a> Comparison<'a> {
    /// What the document demands of operations that say nothing of their own.
    pub fn global_security(&mut self, pair: &NodeChange<'a>) {
        self.within = std::mem::take(&mut self.inheriting);
        let rules = [&GLOBAL_SECURITY_ADDED, &GLOBAL_SECURITY_REMOVED];
        self.requirements(pair, &Location::new("security"), rules);
        self.within.clear();
    }

    /// The security requirements of an operation: its own, or those of the document.
    pub fn security(&mut self, both: &NodePair<'a>, at: &Location) {
        let own = both.get("security");
        if self.whole && own.base.is_none() && own.head.is_none() {
            self.inheriting.extend(self.within.iter().cloned());
            return;
        }
        let or_default =
            |own: Option<NodeRef<'a>>, root| own.or_else(|| NodeRef::new(root, "").get("security"));
        let pair = NodeChange {
            base: or_default(own.base, self.base),
            head: or_default(own.head, self.head),
        };
        self.requirements(&pair, at, [&SECURITY_ADDED, &SECURITY_REMOVED]);
    }

    fn requirements(&mut self, pair: &NodeChange<'a>, at: &Location, rules: [&'static Rule; 2]) {
        let all = (
            alternatives(self.base, pair.base.as_ref()),
            alternatives(self.head, pair.head.as_ref()),
        );
        let (Some(base), Some(head)) = all else {
            return self.unclassified(at, pair);
        };
        let (base, was_open) = closed(base);
        let (head, is_open) = closed(head);
        self.schemes(&base, &head);
        let tell = |all: &[Alternative<'a>]| list(all.iter().map(Alternative::tell));
        match (was_open, is_open) {
            (true, false) => {
                let message = format!("credentials are demanded now: {}", tell(&head));
                self.add_pair(&SECURITY_BECAME_REQUIRED, at, message, pair);
            }
            (false, true) => {
                let message = format!(
                    "no credentials are demanded any more; it was {}",
                    tell(&base)
                );
                self.add_pair(&SECURITY_BECAME_OPTIONAL, at, message, pair);
            }
            _ => {}
        }
        // Where there was or is nothing to choose from, the finding above says it all.
        if was_open != is_open && (base.is_empty() || head.is_empty()) {
            return;
        }
        self.choices(base, head, at, rules);
    }

    fn choices(
        &mut self,
        mut base: Vec<Alternative<'a>>,
        head: Vec<Alternative<'a>>,
        at: &Location,
        [added, removed]: [&'static Rule; 2],
    ) {
        let mut new = Vec::new();
        for head in head {
            let what = |one: &Alternative<'a>| one.schemes.keys().eq(head.schemes.keys());
            match base.iter().position(what) {
                Some(index) => self.scopes(&base.remove(index), &head, at),
                None => new.push(head),
            }
        }
        // The same names for something else: that the scheme changed is a finding of its own.
        new.retain(
            |head| match base.iter().position(|one| one.names == head.names) {
                Some(index) => {
                    base.remove(index);
                    false
                }
                None => true,
            },
        );
        for one in new {
            let message = format!("{} is taken now", one.tell());
            self.add(added, at, message, None, Some(one.node_ref.pointer));
        }
        for one in base {
            let message = format!("{} is no longer taken", one.tell());
            self.add(removed, at, message, Some(one.node_ref.pointer), None);
        }
    }

    fn scopes(&mut self, base: &Alternative<'a>, head: &Alternative<'a>, at: &Location) {
        let pair = NodeChange {
            base: Some(base.node_ref.clone()),
            head: Some(head.node_ref.clone()),
        };
        for (scheme, old) in &base.schemes {
            let Some(new) = head.schemes.get(scheme) else {
                continue;
            };
            for scope in new.difference(old) {
                let message = format!("{scheme} needs the scope {scope}");
                self.add_pair(&SECURITY_SCOPE_ADDED, at, message, &pair);
            }
            for scope in old.difference(new) {
                let message = format!("{scheme} no longer needs the scope {scope}");
                self.add_pair(&SECURITY_SCOPE_REMOVED, at, message, &pair);
            }
        }
    }

    /// Compares the schemes that go by the same name on both sides.
    fn schemes(&mut self, base: &[Alternative<'a>], head: &[Alternative<'a>]) {
        let names = |all: &[Alternative<'a>]| -> BTreeSet<_> {
            all.iter()
                .flat_map(|one| one.names.iter().copied())
                .collect()
        };
        for name in names(base).intersection(&names(head)) {
            let pointer = join("/components/securitySchemes", name);
            let (Some(base), Some(head)) = (self.base.at(&pointer), self.head.at(&pointer)) else {
                continue;
            };
            let both = NodePair {
                base: NodeRef::new(base, pointer.clone()),
                head: NodeRef::new(head, pointer.clone()),
            };
            self.reached.insert((pointer.clone(), pointer));
            let at = Location::new(format!("security scheme {name}"));
            if let Some((both, at)) = self.follow(&both, &at) {
                self.scheme(&both, &at);
            }
        }
    }

    pub fn scheme(&mut self, both: &NodePair<'a>, at: &Location) {
        self.keys(both, at, |this, key, pair| {
            match key {
                "type" | "name" | "in" | "scheme" | "bearerFormat" | "flows"
                | "openIdConnectUrl" => this.changed(&SCHEME_CHANGED, at, key, pair),
                _ => return this.texts(at, key, pair),
            }
            Known::Yes
        });
    }
}

impl Alternative<'_> {
    fn tell(&self) -> String {
        let schemes: Vec<_> = self.schemes.keys().cloned().collect();
        schemes.join(" with ")
    }
}

/// The alternatives that demand something, and whether there is a way without credentials.
fn closed(mut all: Vec<Alternative<'_>>) -> (Vec<Alternative<'_>>, bool) {
    let count = all.len();
    all.retain(|one| !one.names.is_empty());
    let open = all.len() < count || all.is_empty();
    (all, open)
}

/// Nothing when the list is not what OpenAPI wants.
fn alternatives<'a>(
    root: &'a Node,
    node_ref: Option<&NodeRef<'a>>,
) -> Option<Vec<Alternative<'a>>> {
    let Some(node_ref) = node_ref else {
        return Some(Vec::new());
    };
    if !matches!(node_ref.node, Node::List(_)) {
        return None;
    }
    node_ref
        .items()
        .into_iter()
        .map(|node_ref| alternative(root, node_ref))
        .collect()
}

fn alternative<'a>(root: &'a Node, node_ref: NodeRef<'a>) -> Option<Alternative<'a>> {
    let mut schemes = BTreeMap::new();
    let mut names = BTreeSet::new();
    node_ref.node.as_map()?;
    for (name, scopes) in node_ref.node.entries() {
        let Node::List(scopes) = scopes else {
            return None;
        };
        let scopes: Option<BTreeSet<_>> = scopes.iter().map(Node::as_text).collect();
        schemes.insert(what(root, name), scopes?);
        names.insert(name);
    }
    Some(Alternative {
        schemes,
        names,
        node_ref,
    })
}

/// What a scheme is, whatever the document calls it.
fn what(root: &Node, name: &str) -> String {
    let pointer = join("/components/securitySchemes", name);
    let start = root.at(&pointer).map(|node| NodeRef::new(node, pointer));
    let scheme = start.and_then(|node_ref| super::reference::target(root, &node_ref));
    let text = |key| scheme.as_ref().and_then(|node_ref| node_ref.node.text(key));
    match (text("type"), text("in"), text("name"), text("scheme")) {
        (Some("apiKey"), Some(place), Some(name), _) => format!("apiKey in {place} {name}"),
        (Some("http"), _, _, Some(scheme)) => format!("http {}", scheme.to_lowercase()),
        (Some(kind), ..) => format!("{kind} {name}"),
        _ => format!("the unknown scheme {name}"),
    }
}
