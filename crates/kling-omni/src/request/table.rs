//! The table that declares a request type. It has a row for each field, by its name in the API's document.

use kling_omni_api::Field;
#[cfg(feature = "schemars")]
use schemars::{Schema, SchemaGenerator};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::media::MediaSource;
use crate::media_field::MediaField;
use crate::request::element::Element;
use crate::validation::{Actual, Finding, FindingCode};

/// A row of the table of a request type, for programs that offer every field.
#[derive(Clone, Copy, Debug)]
pub struct RequestField {
    /// The name in the JSON body.
    pub name: &'static str,
    /// The description, in lines.
    pub doc: &'static [&'static str],
    /// The kind of its value, or of each of its values.
    pub kind: FieldKind,
    /// Whether the value is a list.
    pub is_list: bool,
}

impl RequestField {
    pub(super) const fn new<T: Slot>(name: &'static str, doc: &'static [&'static str]) -> Self {
        Self {
            name,
            doc,
            kind: T::Item::KIND,
            is_list: T::IS_LIST,
        }
    }

    /// The description, in one paragraph.
    pub fn text(&self) -> String {
        let lines: Vec<_> = self.doc.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }
}

/// The kind of the value of a field.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// A string.
    Text,
    /// An image or a video.
    Media,
    /// An [`Element`].
    Element,
    /// A whole number of seconds, which is a string in the JSON body.
    Seconds,
    /// A number.
    Number,
    /// An integer.
    Integer,
    /// A boolean.
    Flag,
    /// One of these values.
    Choice(fn() -> Vec<&'static str>),
}

/// The values of one field.
#[derive(Clone, Debug)]
pub enum FieldValue {
    /// A value as in the JSON of a request.
    Json(Value),
    /// Images or videos.
    Media(Vec<MediaSource>),
    /// Elements.
    Elements(Vec<Element>),
}

/// The table of a request type; implemented by its builder.
pub(crate) trait RequestTable: Sized {
    /// The rows of the table, in order.
    const TABLE: &'static [RequestField];
    /// The limits of the fields on each route for the type, those of the preferred route first.
    const LIMITS: &'static [&'static [Field]];

    /// Sets the field `name`, replacing its value.
    ///
    /// # Errors
    ///
    /// The type does not have the field, or the value has the wrong kind.
    fn set(self, name: &str, value: FieldValue) -> Result<Self, String>;

    /// All images and videos.
    fn media_mut(&mut self) -> Vec<(MediaField, &mut MediaSource)>;
}

/// The type of a single value of a field.
pub(super) trait Item: Sized + for<'de> Deserialize<'de> {
    const KIND: FieldKind;
    /// The return type of a getter.
    type Ref<'a>
    where
        Self: 'a;

    fn get(&self) -> Self::Ref<'_>;

    #[cfg(feature = "schemars")]
    fn schema(generator: &mut SchemaGenerator) -> Schema;

    /// Converts a value that is not JSON; returns other values.
    fn from_field_value(value: FieldValue) -> Result<Vec<Self>, FieldValue> {
        Err(value)
    }

    /// The finding if the value cannot be represented in JSON.
    fn error(&self, _name: &str) -> Option<Finding> {
        None
    }
}

/// The storage of a field: one value or a list.
pub(super) trait Slot: Default + for<'de> Deserialize<'de> {
    type Item: Item;
    type Ref<'a>
    where
        Self: 'a;
    const IS_LIST: bool;

    fn insert(&mut self, item: Self::Item);
    fn get(&self) -> Self::Ref<'_>;
    fn items(&self) -> &[Self::Item];

    fn is_unset(&self) -> bool {
        self.items().is_empty()
    }

    fn errors(&self, name: &str) -> Vec<Finding> {
        let errors = self.items().iter();
        errors.filter_map(|item| item.error(name)).collect()
    }

    /// Replaces the value.
    fn set(&mut self, value: FieldValue) -> Result<(), String> {
        match Self::Item::from_field_value(value) {
            Ok(items) => {
                *self = Self::default();
                items.into_iter().for_each(|item| self.insert(item));
            }
            Err(FieldValue::Json(value)) => {
                *self = or_unset(value).map_err(|error| error.to_string())?;
            }
            Err(_) => return Err("has a value of the wrong kind".to_owned()),
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
    type Ref<'a>
        = Option<T::Ref<'a>>
    where
        T: 'a;
    const IS_LIST: bool = false;

    fn insert(&mut self, item: T) {
        *self = Some(item);
    }

    fn get(&self) -> Self::Ref<'_> {
        self.as_ref().map(Item::get)
    }

    fn items(&self) -> &[T] {
        self.as_slice()
    }
}

impl<T: Item> Slot for Vec<T> {
    type Item = T;
    type Ref<'a>
        = &'a [T]
    where
        T: 'a;
    const IS_LIST: bool = true;

    fn insert(&mut self, item: T) {
        self.push(item);
    }

    fn get(&self) -> &[T] {
        self
    }

    fn items(&self) -> &[T] {
        self
    }
}

/// Implements [`Item`] for a type, with its kind, the return type of its getter, and the type of its JSON Schema.
macro_rules! items {
    ($($type:ty: $kind:expr, $shown:ty, |$value:ident| $get:expr, $schema:ty $(, $method:item)*;)*) => {$(
        impl Item for $type {
            const KIND: FieldKind = $kind;
            type Ref<'a> = $shown;

            fn get(&self) -> Self::Ref<'_> {
                let $value = self;
                $get
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
                format!("is {number}, which JSON cannot represent"),
            ))
        };
    MediaSource: FieldKind::Media, &'a Self, |source| source, Self,
        fn from_field_value(value: FieldValue) -> Result<Vec<Self>, FieldValue> {
            match value {
                FieldValue::Media(media) => Ok(media),
                value => Err(value),
            }
        };
    Element: FieldKind::Element, &'a Self, |element| element, Self,
        fn from_field_value(value: FieldValue) -> Result<Vec<Self>, FieldValue> {
            match value {
                FieldValue::Elements(elements) => Ok(elements),
                value => Err(value),
            }
        };
}

/// Declares an enum with the values of a field. The names match the enum of the API's document.
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

            /// The value in the JSON body.
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
                || Self::ALL.iter().map(|value| value.as_str()).collect(),
            );
            type Ref<'a> = Self;

            fn get(&self) -> Self {
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

/// Deserialises null as an unset field.
pub(super) fn or_unset<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A whole number of seconds. The JSON body has a string; a number is accepted, too.
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
        enum TextOrNumber {
            Number(u32),
            Text(String),
        }
        match TextOrNumber::deserialize(deserializer) {
            Ok(TextOrNumber::Number(seconds)) => Ok(Self(seconds)),
            // `+8` and `08` parse as numbers, but the service rejects them.
            Ok(TextOrNumber::Text(text)) => match text.parse::<u32>() {
                Ok(seconds) if seconds.to_string() == text => Ok(Self(seconds)),
                _ => Err(D::Error::custom(
                    "duration must be a whole number of seconds",
                )),
            },
            Err(_) => Err(D::Error::custom(
                "duration must be a whole number of seconds",
            )),
        }
    }
}

/// A number. Minus zero is serialised without its sign.
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

/// Compares two strings in a constant.
pub(super) const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

/// The types of a row and other properties that depend on the kind of its field.
macro_rules! kind {
    // Rejects an unknown kind. The other arms accept it, so this is the only error.
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
            "the row `", stringify!($field), "` has an unknown kind, `", stringify!($($kind)+), "`: it must be text, texts, \
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

    // The parameter type of a setter.
    (@parameter text) => { impl Into<String> };
    (@parameter texts) => { impl Into<String> };
    (@parameter media($field:ident)) => { impl Into<$crate::media::MediaSource> };
    (@parameter media_list($field:ident)) => { impl Into<$crate::media::MediaSource> };
    (@parameter elements) => { $crate::request::element::Element };
    (@parameter seconds) => { u32 };
    (@parameter number) => { f64 };
    (@parameter integer) => { i64 };
    (@parameter flag) => { bool };
    (@parameter choice($type:ty)) => { $type };
    (@parameter $($kind:tt)+) => { bool };

    // The return type of a getter.
    (@output text) => { Option<&str> };
    (@output texts) => { &[String] };
    (@output media($field:ident)) => { Option<&$crate::media::MediaSource> };
    (@output media_list($field:ident)) => { &[$crate::media::MediaSource] };
    (@output elements) => { &[$crate::request::element::Element] };
    (@output seconds) => { Option<u32> };
    (@output number) => { Option<f64> };
    (@output integer) => { Option<i64> };
    (@output flag) => { Option<bool> };
    (@output choice($type:ty)) => { Option<$type> };
    (@output $($kind:tt)+) => { Option<bool> };

    // The documentation of every setter of the kind.
    (@doc media $($kind:tt)*) => { "A string is a public http(s) URL. A path or bytes are uploaded." };
    (@doc media_list $($kind:tt)*) => {
        "Adds an item to the list. A string is a public http(s) URL. A path or bytes are uploaded."
    };
    (@doc texts) => { "Adds an item to the list." };
    (@doc elements) => { "Adds an item to the list." };
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

    // Whether `MediaField` has the same name.
    (@is_named $name:expr, media($field:ident)) => {
        $crate::request::table::is_same($crate::media_field::MediaField::$field.name(), $name)
    };
    (@is_named $name:expr, media_list($field:ident)) => {
        $crate::request::table::is_same($crate::media_field::MediaField::$field(0).name(), $name)
    };
    (@is_named $name:expr, $($kind:tt)+) => { true };
}
pub(super) use kind;
