//! The table that declares a request type: a row for each field, by its name in the API's document.

use kling_omni_api::Field;
#[cfg(feature = "schemars")]
use schemars::{Schema, SchemaGenerator};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::media::MediaSource;
use crate::request::element::Element;
use crate::validation::{Actual, Finding, FindingCode};

/// A row of the table of a request type, for programs that offer every field.
#[derive(Clone, Copy, Debug)]
pub struct RequestField {
    /// Name on the wire.
    pub name: &'static str,
    /// What the field is, in lines.
    pub doc: &'static [&'static str],
    /// What its value is, or each of its values.
    pub kind: FieldKind,
    /// Whether it has a list of values.
    pub is_list: bool,
}

impl RequestField {
    pub(super) const fn of<T: Slot>(name: &'static str, doc: &'static [&'static str]) -> Self {
        Self {
            name,
            doc,
            kind: T::Item::KIND,
            is_list: T::IS_LIST,
        }
    }

    /// What the field is, in one paragraph.
    pub fn text(&self) -> String {
        let lines: Vec<_> = self.doc.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }
}

/// What the value of a field is.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// A text.
    Text,
    /// An image or a video.
    Media,
    /// An [`Element`].
    Element,
    /// A whole number of seconds, which is a text on the wire.
    Seconds,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// A boolean.
    Flag,
    /// One of these values.
    Choice(fn() -> Vec<&'static str>),
}

/// The values of one field.
#[derive(Clone, Debug)]
pub enum FieldValue {
    /// As in the JSON of a request.
    Json(Value),
    /// Images or videos.
    Media(Vec<MediaSource>),
    /// Elements.
    Elements(Vec<Element>),
}

/// The builder of a request type.
pub(crate) trait RequestTable: Sized {
    /// The rows of the table, in order.
    const TABLE: &'static [RequestField];
    /// The limits of the fields on each route that takes the request, those of the preferred route first.
    const LIMITS: &'static [&'static [Field]];

    /// Sets the field of this name, in place of what it had.
    ///
    /// # Errors
    ///
    /// The type has no such field, or the value is of another kind.
    fn set(self, name: &str, value: FieldValue) -> Result<Self, String>;
}

/// A type of which a field has one value or a list.
pub(super) trait Item: Sized + for<'de> Deserialize<'de> {
    const KIND: FieldKind;
    /// What a getter returns of it.
    type Shown<'a>
    where
        Self: 'a;

    fn show(&self) -> Self::Shown<'_>;

    #[cfg(feature = "schemars")]
    fn schema(generator: &mut SchemaGenerator) -> Schema;

    /// The values, if they are not written as JSON.
    fn take(value: FieldValue) -> Result<Vec<Self>, FieldValue> {
        Err(value)
    }

    /// What keeps it from being written as JSON.
    fn error(&self, _name: &str) -> Option<Finding> {
        None
    }
}

/// The place of a field, for one value or a list.
pub(super) trait Slot: Default + for<'de> Deserialize<'de> {
    type Item: Item;
    type Shown<'a>
    where
        Self: 'a;
    const IS_LIST: bool;

    fn put(&mut self, item: Self::Item);
    fn show(&self) -> Self::Shown<'_>;
    fn items(&self) -> &[Self::Item];

    fn is_unset(&self) -> bool {
        self.items().is_empty()
    }

    fn errors(&self, name: &str) -> Vec<Finding> {
        let errors = self.items().iter();
        errors.filter_map(|item| item.error(name)).collect()
    }

    /// Replaces what there is.
    fn set(&mut self, value: FieldValue) -> Result<(), String> {
        match Self::Item::take(value) {
            Ok(items) => {
                *self = Self::default();
                items.into_iter().for_each(|item| self.put(item));
            }
            Err(FieldValue::Json(value)) => {
                *self = or_unset(value).map_err(|error| error.to_string())?;
            }
            Err(_) => return Err("is set to a value of another kind".to_owned()),
        }
        Ok(())
    }

    #[cfg(feature = "schemars")]
    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let item = Self::Item::schema(generator);
        match Self::IS_LIST {
            true => schemars::json_schema!({ "type": "array", "items": item }),
            false => item,
        }
    }
}

impl<T: Item> Slot for Option<T> {
    type Item = T;
    type Shown<'a>
        = Option<T::Shown<'a>>
    where
        T: 'a;
    const IS_LIST: bool = false;

    fn put(&mut self, item: T) {
        *self = Some(item);
    }

    fn show(&self) -> Self::Shown<'_> {
        self.as_ref().map(Item::show)
    }

    fn items(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T: Item> Slot for Vec<T> {
    type Item = T;
    type Shown<'a>
        = &'a [T]
    where
        T: 'a;
    const IS_LIST: bool = true;

    fn put(&mut self, item: T) {
        self.push(item);
    }

    fn show(&self) -> &[T] {
        self
    }

    fn items(&self) -> &[T] {
        self
    }
}

/// Implements [`Item`]: the type, its kind, what a getter returns, and the type that its JSON Schema is of.
macro_rules! items {
    ($($type:ty: $kind:expr, $shown:ty, |$value:ident| $show:expr, $schema:ty $(, $method:item)*;)*) => {$(
        impl Item for $type {
            const KIND: FieldKind = $kind;
            type Shown<'a> = $shown;

            fn show(&self) -> Self::Shown<'_> {
                let $value = self;
                $show
            }

            #[cfg(feature = "schemars")]
            fn schema(generator: &mut SchemaGenerator) -> Schema {
                generator.subschema_for::<$schema>()
            }

            $($method)*
        }
    )*};
}

items! {
    String: FieldKind::Text, &'a str, |text| text, Self;
    bool: FieldKind::Flag, Self, |flag| *flag, Self;
    i64: FieldKind::Integer, Self, |integer| *integer, Self;
    Seconds: FieldKind::Seconds, u32, |seconds| seconds.0, String;
    Number: FieldKind::Number, f64, |number| number.0, f64,
        fn error(&self, name: &str) -> Option<Finding> {
            let Self(number) = self;
            (!number.is_finite()).then(|| Finding::new(
                FindingCode::NotFinite,
                name,
                None,
                Actual::Number(number.to_string()),
                format!("is {number}, which is no number that can be sent"),
            ))
        };
    MediaSource: FieldKind::Media, &'a Self, |source| source, Self,
        fn take(value: FieldValue) -> Result<Vec<Self>, FieldValue> {
            match value {
                FieldValue::Media(media) => Ok(media),
                value => Err(value),
            }
        };
    Element: FieldKind::Element, &'a Self, |element| element, Self,
        fn take(value: FieldValue) -> Result<Vec<Self>, FieldValue> {
            match value {
                FieldValue::Elements(elements) => Ok(elements),
                value => Err(value),
            }
        };
}

/// Declares the values of a field as an enum, under their names in the enum of the API's document.
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $choice:ident = $schema:literal {
            $($(#[$value_meta:meta])* $value:ident,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "&'static str")]
        #[cfg_attr(feature = "schemars", schemars(description = $schema))]
        #[non_exhaustive]
        pub enum $choice {
            $($(#[$value_meta])* $value,)+
        }

        impl $choice {
            /// All values.
            pub const ALL: &[Self] = &[$(Self::$value),+];

            /// The value on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => kling_omni_api::enums::$choice::$value.as_str(),)+
                }
            }
        }

        $crate::named::by_name!($choice);

        impl TryFrom<String> for $choice {
            type Error = $crate::named::UnknownValue;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$choice> for &'static str {
            fn from(choice: $choice) -> Self {
                choice.as_str()
            }
        }

        impl $crate::request::table::Item for $choice {
            const KIND: $crate::request::table::FieldKind = $crate::request::table::FieldKind::Choice(
                || Self::ALL.iter().map(|one| one.as_str()).collect(),
            );
            type Shown<'a> = Self;

            fn show(&self) -> Self {
                *self
            }

            #[cfg(feature = "schemars")]
            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                generator.subschema_for::<Self>()
            }
        }
    };
}
pub(super) use choice;

/// Reads null as "not set".
pub(super) fn or_unset<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A whole number of seconds. The wire has a string; people write numbers, and both can mean only one thing.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Seconds(u32);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Number(u32),
            Text(String),
        }
        match Given::deserialize(deserializer) {
            Ok(Given::Number(seconds)) => Ok(Self(seconds)),
            // `+8` and `08` are numbers, and no duration that the service knows.
            Ok(Given::Text(text)) => match text.parse::<u32>() {
                Ok(seconds) if seconds.to_string() == text => Ok(Self(seconds)),
                _ => Err(D::Error::custom(
                    "duration is not a whole number of seconds",
                )),
            },
            Err(_) => Err(D::Error::custom(
                "duration is not a whole number of seconds",
            )),
        }
    }
}

/// A number, which is written without the sign of minus zero.
#[derive(Clone, Copy, PartialEq, Deserialize)]
pub(super) struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.0 + 0.0).serialize(serializer)
    }
}

impl From<u32> for Seconds {
    fn from(seconds: u32) -> Self {
        Self(seconds)
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self(number)
    }
}

/// Whether one of several routes has a field of this name.
pub(super) const fn is_documented(routes: &[&[Field]], name: &str) -> bool {
    let mut route = 0;
    while route < routes.len() {
        let mut field = 0;
        while field < routes[route].len() {
            if is_same(routes[route][field].name, name) {
                return true;
            }
            field += 1;
        }
        route += 1;
    }
    false
}

/// Whether two texts are the same, at build time.
pub(super) const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The types of a row, by the kind of its field, and what else depends on it.
macro_rules! kind {
    // Refuses a kind that is not known. The other arms take it for nothing, so that this is the only error.
    (@known $field:ident: text) => {};
    (@known $field:ident: texts) => {};
    (@known $field:ident: media($of:ident)) => {};
    (@known $field:ident: media_list($of:ident)) => {};
    (@known $field:ident: elements) => {};
    (@known $field:ident: seconds) => {};
    (@known $field:ident: number) => {};
    (@known $field:ident: integer) => {};
    (@known $field:ident: flag) => {};
    (@known $field:ident: choice($of:ident)) => {};
    (@known $field:ident: $($kind:tt)+) => {
        compile_error!(concat!(
            "the row `", stringify!($field), "` is of no known kind, `", stringify!($($kind)+), "`: it can be text, texts, \
             media(FIELD), media_list(FIELD), elements, seconds, number, integer, flag or choice(TYPE)"
        ));
    };

    (@value text) => { Option<String> };
    (@value texts) => { Vec<String> };
    (@value media($field:ident)) => { Option<$crate::media::MediaSource> };
    (@value media_list($field:ident)) => { Vec<$crate::media::MediaSource> };
    (@value elements) => { Vec<$crate::request::element::Element> };
    (@value seconds) => { Option<$crate::request::table::Seconds> };
    (@value number) => { Option<$crate::request::table::Number> };
    (@value integer) => { Option<i64> };
    (@value flag) => { Option<bool> };
    (@value choice($type:ty)) => { Option<$type> };
    (@value $($kind:tt)+) => { Option<bool> };

    // What a setter takes.
    (@given text) => { impl Into<String> };
    (@given texts) => { impl Into<String> };
    (@given media($field:ident)) => { impl Into<$crate::media::MediaSource> };
    (@given media_list($field:ident)) => { impl Into<$crate::media::MediaSource> };
    (@given elements) => { $crate::request::element::Element };
    (@given seconds) => { u32 };
    (@given number) => { f64 };
    (@given integer) => { i64 };
    (@given flag) => { bool };
    (@given choice($type:ty)) => { $type };
    (@given $($kind:tt)+) => { bool };

    // What a getter returns.
    (@shown text) => { Option<&str> };
    (@shown texts) => { &[String] };
    (@shown media($field:ident)) => { Option<&$crate::media::MediaSource> };
    (@shown media_list($field:ident)) => { &[$crate::media::MediaSource] };
    (@shown elements) => { &[$crate::request::element::Element] };
    (@shown seconds) => { Option<u32> };
    (@shown number) => { Option<f64> };
    (@shown integer) => { Option<i64> };
    (@shown flag) => { Option<bool> };
    (@shown choice($type:ty)) => { Option<$type> };
    (@shown $($kind:tt)+) => { Option<bool> };

    // What a setter says of every field of the kind.
    (@doc media $($kind:tt)*) => { "A text is a public http(s) URL; a path or bytes are uploaded." };
    (@doc media_list $($kind:tt)*) => {
        "Adds one to the list. A text is a public http(s) URL; a path or bytes are uploaded."
    };
    (@doc texts) => { "Adds one to the list." };
    (@doc elements) => { "Adds one to the list." };
    (@doc $($kind:tt)*) => { "" };

    (@media $slot:expr, media($field:ident)) => {
        $slot.iter_mut().map(|source| ($crate::media_field::MediaField::$field, source))
    };
    (@media $slot:expr, media_list($field:ident)) => {
        $slot.iter_mut().enumerate().map(|(index, source)| {
            ($crate::media_field::MediaField::$field(index), source)
        })
    };
    (@media $slot:expr, elements) => {
        $slot.iter_mut().enumerate().flat_map(|(index, element)| element.media_mut(index))
    };
    (@media $slot:expr, $($kind:tt)+) => { std::iter::empty() };

    // Whether `MediaField` has the same name for the field.
    (@is_named $name:expr, media($field:ident)) => {
        $crate::request::table::is_same($crate::media_field::MediaField::$field.name(), $name)
    };
    (@is_named $name:expr, media_list($field:ident)) => {
        $crate::request::table::is_same($crate::media_field::MediaField::$field(0).name(), $name)
    };
    (@is_named $name:expr, $($kind:tt)+) => { true };
}
pub(super) use kind;
