//! The document that the client generator gets right, made of the spec.

use std::collections::BTreeSet;
use std::mem;

use anyhow::{Context as _, Result};
use indexmap::IndexMap;

use openapi_diff::document::METHODS;
use openapi_diff::tree::Node;

use super::spec::{Operation, Spec, schema_name};
use super::task;

/// The document that the client generator sees, and what was taken out of it.
#[derive(Debug)]
pub struct Prepared {
    /// The document.
    pub tree: Node,
    /// How often each change was made, by the name of the change.
    pub counts: IndexMap<&'static str, usize>,
    /// The lists in responses that may be absent or null, as schema and property.
    pub tolerant: Vec<(String, String)>,
}

/// Schema keywords that the generator would act upon and must not: each would make a request impossible that the
/// caller wants to send unchecked, or refuse a response for a reason that does not matter.
pub const HIDDEN_KEYWORDS: [&str; 7] = [
    "default",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
];

/// The schema that takes the place of the body of each create. The generator replaces it with a type of the API crate.
pub(crate) const REQUEST_BODY: &str = "RequestBody";

/// Turns the spec into the document that the client generator gets right.
pub fn prepare(spec: &Spec) -> Result<Prepared> {
    let mut work = Work {
        spec,
        counts: IndexMap::new(),
        tolerant: Vec::new(),
    };
    let mut tree = spec.tree.clone();
    work.operations(&mut tree)?;
    let mut answered = BTreeSet::new();
    for operation in spec.operations() {
        answers(spec, &operation).for_each(|node| reach(spec, node, &mut answered));
    }
    work.components(&mut tree, &generated_schemas(spec), &answered)?;
    for key in ["security", "tags", "servers"] {
        tree.remove(key);
    }
    work.extensions(&mut tree);
    Ok(Prepared {
        tree,
        counts: work.counts,
        tolerant: work.tolerant,
    })
}

struct Work<'a> {
    spec: &'a Spec,
    counts: IndexMap<&'static str, usize>,
    tolerant: Vec<(String, String)>,
}

impl Work<'_> {
    fn count(&mut self, what: &'static str, times: usize) {
        *self.counts.entry(what).or_default() += times;
    }

    fn operations(&mut self, tree: &mut Node) -> Result<()> {
        let items = tree.get_mut("paths").and_then(Node::as_map_mut);
        for item in items.into_iter().flat_map(IndexMap::values_mut) {
            self.parameters(item)?;
            for method in METHODS {
                if let Some(operation) = item.get_mut(method) {
                    self.operation(operation)?;
                }
            }
        }
        Ok(())
    }

    fn operation(&mut self, operation: &mut Node) -> Result<()> {
        if operation.remove("callbacks").is_some() {
            self.count("callbacks", 1);
        }
        operation.remove("security");
        self.parameters(operation)?;
        let is_create = operation
            .get(task::KEY)
            .is_some_and(|task| task.get("creates").is_some());
        if let Some(body) = operation.get_mut("requestBody") {
            *body = self.spec.resolve(body)?.clone();
            self.bodies(body);
            if is_create {
                self.replace_body(body);
            }
        }
        let responses = operation
            .get_mut("responses")
            .and_then(Node::as_map_mut)
            .context("an operation has no `responses`")?;
        let all = responses.len();
        responses.retain(|status, _| status.starts_with('2'));
        // Any other status then arrives as an unexpected response with status, headers and body whole.
        self.count("error responses", all - responses.len());
        for response in responses.values_mut() {
            *response = self.spec.resolve(response)?.clone();
            response.remove("headers");
            self.bodies(response);
        }
        // A service may answer with another success status than it documents: 201 or 202 in place of 200.
        *responses = mem::take(responses)
            .into_values()
            .map(|response| ("2XX".to_owned(), response))
            .collect();
        Ok(())
    }

    /// Lets a create take JSON that is serialised already, instead of its generated type.
    fn replace_body(&mut self, body: &mut Node) {
        let contents = body.get_mut("content").and_then(Node::as_map_mut);
        for content in contents.into_iter().flat_map(IndexMap::values_mut) {
            if let Some(schema) = content.get_mut("schema") {
                let reference = format!("#/components/schemas/{REQUEST_BODY}");
                schema.set("$ref", Node::Text(reference));
                self.count("bodies of creates", 1);
            }
        }
    }

    fn parameters(&mut self, owner: &mut Node) -> Result<()> {
        let Some(Node::List(parameters)) = owner.get_mut("parameters") else {
            return Ok(());
        };
        for parameter in parameters {
            *parameter = self.spec.resolve(parameter)?.clone();
            self.examples(parameter);
            if let Some(schema) = parameter.get_mut("schema") {
                let left_out = default_sentence(self.spec.resolve(schema)?);
                self.schema(schema)?;
                describe(parameter, left_out);
            }
        }
        Ok(())
    }

    fn bodies(&mut self, owner: &mut Node) {
        let contents = owner.get_mut("content").and_then(Node::as_map_mut);
        for content in contents.into_iter().flat_map(IndexMap::values_mut) {
            self.examples(content);
        }
    }

    fn components(
        &mut self,
        tree: &mut Node,
        used: &BTreeSet<String>,
        answered: &BTreeSet<String>,
    ) -> Result<()> {
        let mut schemas = IndexMap::new();
        for (name, schema) in self.spec.schemas() {
            if !used.contains(name) {
                self.count("schemas left out", 1);
            } else if is_plain(schema) {
                self.count("schemas written in place", 1);
            } else {
                let mut schema = schema.clone();
                self.schema(&mut schema)?;
                if answered.contains(name) {
                    self.tolerate(name, &mut schema);
                }
                schemas.insert(name.to_owned(), schema);
            }
        }
        if self.counts.contains_key("bodies of creates") {
            let mut body = Node::map();
            body.set("type", Node::Text("object".to_owned()));
            schemas.insert(REQUEST_BODY.to_owned(), body);
        }
        let mut components = Node::map();
        components.set("schemas", Node::Map(schemas));
        tree.set("components", components);
        Ok(())
    }

    fn schema(&mut self, schema: &mut Node) -> Result<()> {
        if schema.text("$ref").is_some() {
            let target = self.spec.resolve(schema)?;
            if !is_plain(target) {
                return Ok(());
            }
            *schema = target.clone();
        }
        let left_out = default_sentence(schema);
        describe(schema, left_out);
        self.examples(schema);
        for rule in HIDDEN_KEYWORDS {
            if schema.remove(rule).is_some() {
                self.count(rule, 1);
            }
        }
        if schema.get("additionalProperties") == Some(&Node::Flag(false)) {
            schema.remove("additionalProperties");
            self.count("additionalProperties: false", 1);
        }
        if let Some(items) = schema.get_mut("items") {
            self.schema(items)?;
        }
        let properties = schema.get_mut("properties").and_then(Node::as_map_mut);
        for property in properties.into_iter().flat_map(IndexMap::values_mut) {
            self.schema(property)?;
        }
        Ok(())
    }

    /// Makes the lists of a response optional; the client emitter then lets null through, too. A list that is all there
    /// is stays as it is: without it nothing was said, and an empty one would say that there is nothing.
    fn tolerate(&mut self, name: &str, schema: &mut Node) {
        let mut lists = Vec::new();
        let properties = schema.get_mut("properties").and_then(Node::as_map_mut);
        let properties = properties.filter(|properties| properties.len() > 1);
        for (key, property) in properties.into_iter().flatten() {
            if property.text("type") == Some("array") {
                property.remove("nullable");
                lists.push(key.clone());
            }
        }
        if let Some(Node::List(required)) = schema.get_mut("required") {
            required.retain(|key| !lists.iter().any(|list| key.as_text() == Some(list)));
            if required.is_empty() {
                schema.remove("required");
            }
        }
        self.count("tolerant lists", lists.len());
        self.tolerant
            .extend(lists.into_iter().map(|list| (name.to_owned(), list)));
    }

    fn examples(&mut self, node: &mut Node) {
        for key in ["example", "examples"] {
            if node.remove(key).is_some() {
                self.count("examples", 1);
            }
        }
    }

    fn extensions(&mut self, node: &mut Node) {
        match node {
            Node::Map(map) => {
                let all = map.len();
                map.retain(|key, _| !key.starts_with("x-"));
                self.count("extensions", all - map.len());
                for value in map.values_mut() {
                    self.extensions(value);
                }
            }
            Node::List(items) => {
                for item in items {
                    self.extensions(item);
                }
            }
            _ => {}
        }
    }
}

/// Whether a schema names no type of its own: neither an object nor an enum.
fn is_plain(schema: &Node) -> bool {
    schema.get("enum").is_none() && schema.text("type").is_some_and(|kind| kind != "object")
}

/// The schemas of the request bodies of all creates.
pub(crate) fn create_bodies(spec: &Spec) -> BTreeSet<&str> {
    let creates = task::creates(spec).into_iter();
    creates
        .filter_map(|(operation, _)| body_schema(spec, &operation))
        .collect()
}

/// The schema of the body that an operation takes.
pub(crate) fn body_schema<'a>(spec: &'a Spec, operation: &Operation<'a>) -> Option<&'a str> {
    let body = spec.resolve(operation.node.get("requestBody")?).ok()?;
    schema_name(body.at("/content/application~1json/schema")?.text("$ref")?)
}

/// The schema of the body that an operation answers when it succeeds.
pub(crate) fn answer_schema<'a>(spec: &'a Spec, operation: &Operation<'a>) -> Option<&'a str> {
    let content = answers(spec, operation).next()?;
    schema_name(content.at("/application~1json/schema")?.text("$ref")?)
}

/// The component schemas that code is generated from: those of parameters, request bodies and 2xx responses.
pub(crate) fn generated_schemas(spec: &Spec) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for operation in spec.operations() {
        let parameters = operation.parameters().into_iter().map(|(_, node)| node);
        let body = operation.node.get("requestBody");
        for node in parameters.chain(body) {
            if let Ok(node) = spec.resolve(node) {
                reach(spec, node, &mut names);
            }
        }
        answers(spec, &operation).for_each(|node| reach(spec, node, &mut names));
    }
    names
}

/// The 2xx responses of an operation.
fn answers<'a>(spec: &'a Spec, operation: &Operation<'a>) -> impl Iterator<Item = &'a Node> {
    let responses = operation.node.get("responses");
    let responses = responses.into_iter().flat_map(Node::entries);
    responses
        .filter(|(status, _)| status.starts_with('2'))
        .filter_map(|(_, response)| spec.resolve(response).ok())
        .filter_map(|response| response.get("content"))
}

/// Adds the names of all component schemas that `node` leads to.
pub(crate) fn reach(spec: &Spec, node: &Node, names: &mut BTreeSet<String>) {
    node.walk("", &mut |_, value| {
        let Some(name) = value.text("$ref").and_then(schema_name) else {
            return;
        };
        let schema = spec.schemas().find(|(known, _)| *known == name);
        if names.insert(name.to_owned())
            && let Some((_, schema)) = schema
        {
            reach(spec, schema, names);
        }
    });
}

fn default_sentence(schema: &Node) -> Option<String> {
    let value = match schema.get("default")? {
        Node::Text(text) => text.clone(),
        Node::Number(number) => number.to_string(),
        Node::Flag(flag) => flag.to_string(),
        _ => return None,
    };
    Some(format!("Left out, the service takes `{value}`."))
}

/// Adds a sentence to the description: the docs keep what the generator must not see.
fn describe(node: &mut Node, sentence: Option<String>) {
    let Some(sentence) = sentence else { return };
    let text = match node.get_mut("description") {
        Some(Node::Text(text)) => mem::take(text),
        _ => String::new(),
    };
    let text = format!("{}\n\n{sentence}", text.trim_end());
    node.set("description", Node::Text(text.trim_start().to_owned()));
}
