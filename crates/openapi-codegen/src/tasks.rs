//! The operations that create, read and list tasks: an enum of each, its table, and one function that calls them.

use anyhow::{Context as _, Result};
use heck::{ToPascalCase as _, ToShoutySnakeCase as _, ToSnakeCase as _};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use super::lint::PAGING;
use super::prepare::{answer_schema, body_schema};
use super::spec::{Operation, Spec};
use super::task::{Create, Task, creates};

/// The value of `Operation::role`.
pub fn role(operation: &Operation<'_>) -> Result<TokenStream> {
    let variant = variant(operation)?;
    let task = Task::of(operation).context("an operation has no `x-task`")?;
    Ok(match task {
        Task::Create(_) => quote!(Role::Create(TaskCreate::#variant)),
        Task::Read(_) => quote!(Role::Read(TaskRead::#variant)),
        Task::List(_) => quote!(Role::List(TaskList::#variant)),
        Task::Other { is_repeatable } => quote!(Role::Other { is_repeatable: #is_repeatable }),
    })
}

/// Emits the enums, their tables and the functions that call their operations.
pub fn emit(spec: &Spec) -> Result<TokenStream> {
    let emitted = [emit_creates(spec)?, emit_reads(spec)?, emit_lists(spec)?];
    Ok(quote! {
        //! The operations on tasks, by what they do.
        use progenitor_client::{Error, ResponseValue};
        use super::{Client, limits, service, types};
        use crate::{CreateSpec, ListSpec, ReadSpec, RequestBody};
        #(#emitted)*
    })
}

fn emit_creates(spec: &Spec) -> Result<TokenStream> {
    let mut all = creates(spec);
    let predecessors = |create: &Create<'_>| {
        let is_older = |other: &&Create<'_>| other.is_like(create);
        let rest = all.iter().map(|(_, other)| other).filter(is_older).count();
        rest - newer(&all, create)
    };
    let ranks: Vec<_> = all.iter().map(|(_, create)| predecessors(create)).collect();
    let mut ranked: Vec<_> = ranks.into_iter().zip(all.drain(..)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let all: Vec<_> = ranked.into_iter().map(|(_, create)| create).collect();

    let mut rows = Vec::new();
    let mut calls = Vec::new();
    for (operation, create) in &all {
        let row = row(operation)?;
        let (constant, method) = (&row.constant, &row.method);
        let Create {
            mode,
            route,
            tier,
            families,
            ..
        } = create;
        let name = create.name();
        let is_only = !all.iter().any(|(_, other)| {
            (other.mode, other.route) == (create.mode, create.route) && other.tier != create.tier
        });
        let title = if is_only {
            (*route).to_owned()
        } else {
            format!("{route} ({tier})")
        };
        let found = |wanted: fn(&Task<'_>, &str) -> bool| {
            families
                .iter()
                .flat_map(|family| {
                    let operations = spec.operations().into_iter();
                    operations.filter(move |operation| {
                        Task::of(operation).is_some_and(|task| wanted(&task, family))
                    })
                })
                .map(|operation| variant(&operation))
                .collect::<Result<Vec<_>>>()
        };
        let reads = found(|task, family| *task == Task::Read(family))?;
        let lists = found(|task, family| *task == Task::List(family))?;
        let successor = match create.successor {
            Some(id) => {
                let id = format_ident!("{}", id.to_pascal_case());
                quote!(Some(Self::#id))
            }
            None => quote!(None),
        };
        let body = body_schema(spec, operation).context("a create has no body")?;
        let body = format_ident!("{}", body.to_snake_case());
        let spec = quote! {
            CreateSpec {
                operation: service::#constant,
                mode: #mode,
                route: #route,
                tier: #tier,
                name: #name,
                title: #title,
                families: &[#(#families),*],
                reads: &[#(TaskRead::#reads),*],
                lists: &[#(TaskList::#lists),*],
                successor: #successor,
                fields: limits::#body::FIELDS,
            }
        };
        calls.push(quote!(client.#method().body(body).send().await));
        rows.push(Row { spec, ..row });
    }
    let answer = answer(spec, all.first().map(|(operation, _)| operation))?;
    let table = table(
        "Creates a task, which costs money.",
        "older ones before their successors",
        &format_ident!("TaskCreate"),
        &format_ident!("CreateSpec"),
        &rows,
    );
    let variants = rows.iter().map(|row| &row.variant);
    Ok(quote! {
        #table
        impl TaskCreate {
            /// Sends `body` by this operation.
            pub async fn send(
                self,
                client: &Client,
                body: RequestBody,
            ) -> Result<ResponseValue<types::#answer>, Error<()>> {
                match self {
                    #(Self::#variants => #calls,)*
                }
            }
        }
    })
}

/// How many creates of the same mode and tier come after this one.
fn newer(all: &[(Operation<'_>, Create<'_>)], create: &Create<'_>) -> usize {
    let find = |id: &str| all.iter().find(|(other, _)| other.id() == Some(id));
    let next = create.successor.and_then(find);
    next.map_or(1, |(_, next)| 1 + newer(all, next))
}

fn emit_reads(spec: &Spec) -> Result<TokenStream> {
    let mut rows = Vec::new();
    let mut calls = Vec::new();
    let mut first = None;
    for operation in spec.operations() {
        let Some(Task::Read(family)) = Task::of(&operation) else {
            continue;
        };
        first = first.or(Some(operation));
        let row = row(&operation)?;
        let (constant, method) = (&row.constant, &row.method);
        let mut operations = spec.operations().into_iter();
        let list = operations.find(|other| Task::of(other) == Some(Task::List(family)));
        let list = match list {
            Some(list) => {
                let list = variant(&list)?;
                quote!(Some(TaskList::#list))
            }
            None => quote!(None),
        };
        let parameters = operation.parameters();
        let (_, id) = parameters.first().context("a read has no parameter")?;
        let id = spec.resolve(id)?.text("name").unwrap_or_default();
        let id = format_ident!("{}", id.to_snake_case());
        let spec = quote! {
            ReadSpec {
                operation: service::#constant,
                family: #family,
                list: #list,
            }
        };
        calls.push(quote!(client.#method().#id(id).send().await));
        rows.push(Row { spec, ..row });
    }
    let answer = answer(spec, first.as_ref())?;
    let table = table(
        "Reads a task.",
        "in the order of the spec",
        &format_ident!("TaskRead"),
        &format_ident!("ReadSpec"),
        &rows,
    );
    let variants = rows.iter().map(|row| &row.variant);
    Ok(quote! {
        #table
        impl TaskRead {
            /// Reads the task `id` by this operation.
            pub async fn send(
                self,
                client: &Client,
                id: &str,
            ) -> Result<ResponseValue<types::#answer>, Error<()>> {
                match self {
                    #(Self::#variants => #calls,)*
                }
            }
        }
    })
}

fn emit_lists(spec: &Spec) -> Result<TokenStream> {
    let mut rows = Vec::new();
    let mut calls = Vec::new();
    let mut first = None;
    for operation in spec.operations() {
        let Some(Task::List(family)) = Task::of(&operation) else {
            continue;
        };
        first = first.or(Some(operation));
        let row = row(&operation)?;
        let (constant, method) = (&row.constant, &row.method);
        let parameters = operation.parameters();
        let names = parameters
            .iter()
            .filter_map(|(_, node)| spec.resolve(node).ok()?.text("name"));
        let names: Vec<_> = names.collect();
        let fields = if names.is_empty() {
            quote!(&[])
        } else {
            quote!(limits::#method::FIELDS)
        };
        let setters = PAGING.into_iter().filter(|name| names.contains(name));
        let setters: Vec<_> = setters.map(|name| format_ident!("{name}")).collect();
        calls.push(if setters.is_empty() {
            quote!(client.#method().send().await)
        } else {
            quote! {{
                let mut request = client.#method();
                #(if let Some(#setters) = #setters {
                    request = request.#setters(#setters);
                })*
                request.send().await
            }}
        });
        let spec = quote! {
            ListSpec {
                operation: service::#constant,
                family: #family,
                fields: #fields,
            }
        };
        rows.push(Row { spec, ..row });
    }
    let answer = answer(spec, first.as_ref())?;
    let table = table(
        "Lists tasks of the account.",
        "in the order of the spec",
        &format_ident!("TaskList"),
        &format_ident!("ListSpec"),
        &rows,
    );
    let variants = rows.iter().map(|row| &row.variant);
    Ok(quote! {
        #table
        impl TaskList {
            /// Reads a page by this operation. One that has no pages leaves number and size out.
            pub async fn send(
                self,
                client: &Client,
                page: Option<i32>,
                page_size: Option<i32>,
            ) -> Result<ResponseValue<types::#answer>, Error<()>> {
                match self {
                    #(Self::#variants => #calls,)*
                }
            }
        }
    })
}

/// One operation in the table of its kind.
struct Row {
    doc: String,
    variant: Ident,
    constant: Ident,
    method: Ident,
    spec: TokenStream,
}

fn row(operation: &Operation<'_>) -> Result<Row> {
    let id = operation.id().context("an operation has no operationId")?;
    Ok(Row {
        doc: format!(" {}.", operation.node.text("summary").unwrap_or(id)),
        variant: variant(operation)?,
        constant: format_ident!("{}", id.to_shouty_snake_case()),
        method: format_ident!("{}", id.to_snake_case()),
        spec: TokenStream::new(),
    })
}

fn variant(operation: &Operation<'_>) -> Result<Ident> {
    let id = operation.id().context("an operation has no operationId")?;
    Ok(format_ident!("{}", id.to_pascal_case()))
}

fn answer(spec: &Spec, operation: Option<&Operation<'_>>) -> Result<Ident> {
    let answer = operation.and_then(|operation| answer_schema(spec, operation));
    Ok(format_ident!(
        "{}",
        answer.context("no operation of a kind")?
    ))
}

fn table(doc: &str, order: &str, name: &Ident, spec: &Ident, rows: &[Row]) -> TokenStream {
    let doc = format!(" {doc}");
    let order = format!(" All of them, {order}.");
    let docs = rows.iter().map(|row| &row.doc);
    let variants: Vec<_> = rows.iter().map(|row| &row.variant).collect();
    let specs = rows.iter().map(|row| &row.spec);
    quote! {
        #[doc = #doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum #name {
            #(#[doc = #docs] #variants,)*
        }
        impl #name {
            #[doc = #order]
            pub const ALL: &[Self] = &[#(Self::#variants),*];
            const SPECS: &[#spec] = &[#(#specs),*];
            /// What the spec says of it.
            pub const fn spec(self) -> &'static #spec {
                &Self::SPECS[self as usize]
            }
        }
    }
}
