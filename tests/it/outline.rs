//! The surface of the generated crate.

use kling_omni_tests::outline::{outline, owned};
use kling_omni_tests::snapshots::Kind;
use syn::{File, Item, parse_quote};

#[test]
fn generated_surface() {
    let mut snapshots = Kind::Outline.all();
    for (name, items) in owned() {
        snapshots.check(&name, &outline(&items));
    }
    snapshots.finish();
}

#[test]
fn an_outline_says_what_can_be_named_and_called() {
    let text = outline(&task(
        "if text.len() > 9 { None } else { Some(Self { text }) }",
    ));
    let (surface, fingerprint) = text.split_once("fingerprint: ").unwrap();
    assert_eq!(
        surface,
        r#"/// A task.
#[derive(Clone, Serialize)]
pub struct Task {
    pub of: Option<enums::Kind>,
    #[serde(default)]
    pub many: Vec<String>,
}
impl Task {
    pub fn parse<T>(text: T) -> Option<Self> where T: Into<String>;
}
impl builder::Task {
    pub fn many<T>(mut self, value: T) -> Self where T: TryInto<Option<Vec<String>>>, T::Error: Display;
    // setters for 1 of the 2 fields
}
traits: From<Task>
"#
    );
    assert_eq!(fingerprint.trim_end().len(), 8);
}

/// A bound that stands in a body is on no surface.
#[test]
fn a_change_in_a_body_shows_in_the_fingerprint_alone() {
    let before = outline(&task(
        "if text.len() > 9 { None } else { Some(Self { text }) }",
    ));
    let after = outline(&task(
        "if text.len() > 8 { None } else { Some(Self { text }) }",
    ));
    let split = |text: &str| {
        let (surface, fingerprint) = text.split_once("fingerprint: ").unwrap();
        (surface.to_owned(), fingerprint.to_owned())
    };
    let ((surface, fingerprint), after) = (split(&before), split(&after));
    assert_eq!(surface, after.0);
    assert_ne!(fingerprint, after.1);
}

fn task(body: &str) -> Vec<Item> {
    let body: syn::Expr = syn::parse_str(body).unwrap();
    let file: File = parse_quote! {
        /// A task.
        ///
        /// And more about it.
        #[derive(Clone, ::serde::Serialize)]
        pub struct Task {
            text: ::std::string::String,
            #[serde(skip_serializing_if = "::std::option::Option::is_none")]
            pub of: ::std::option::Option<crate::enums::Kind>,
            #[serde(default)]
            pub many: ::std::vec::Vec<::std::string::String>,
        }
        impl Task {
            pub fn parse<T>(text: T) -> ::std::option::Option<Self>
            where
                T: std::convert::Into<::std::string::String>,
            {
                let text = text.into();
                #body
            }
            fn hidden(&self) {}
        }
        impl std::convert::From<Task> for ::std::string::String {
            fn from(task: Task) -> Self {
                task.text
            }
        }
        pub mod builder {
            impl Task {
                pub fn of<T>(mut self, value: T) -> Self
                where
                    T: ::std::convert::TryInto<::std::option::Option<crate::enums::Kind>>,
                    T::Error: ::std::fmt::Display,
                {
                    self.of = value.try_into().map_err(|e| e.to_string());
                    self
                }
                pub fn many<T>(mut self, value: T) -> Self
                where
                    T: ::std::convert::TryInto<
                        ::std::option::Option<::std::vec::Vec<::std::string::String>>,
                    >,
                    T::Error: ::std::fmt::Display,
                {
                    self
                }
            }
        }
    };
    file.items
}
