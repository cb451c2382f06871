//! Deserialisation of the objects of a request.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};

/// For a type with `#[serde(remote = "Self")]`: serialises it as derived, deserialises it only from an object, and
/// implements a redacted `Debug`.
macro_rules! object {
    ($type:ty, $name:expr, $rules:expr) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                #[allow(unused_imports, reason = "one type has the method itself")]
                use $crate::request::fields::Fields as _;

                let mut shown = self.clone();
                shown.replace_local_by_text();
                $crate::request::fields::debug($name, &shown, $rules, f)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::request::object::deserialize_object(deserializer)
            }
        }

        impl $crate::request::object::FromObject for $type {
            fn deserialize_fields<'de, D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }
        }
    };
}
pub(super) use object;

/// Provides the derived deserialisation, which would also fill fields from a list by position.
pub(super) trait FromObject: Sized {
    fn deserialize_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;
}

/// Deserialises an object, and rejects everything else.
pub(super) fn deserialize_object<'de, T: FromObject, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: FromObject> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with named fields")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize_fields(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}
