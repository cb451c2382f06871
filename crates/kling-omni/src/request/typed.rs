//! The code that all request types and builders share: validation in `build`, and conversion from and to JSON.

use std::fmt;

use serde_json::Value;

use crate::media::MediaSource;
use crate::media_field::MediaField;
use crate::request::fields::{Fields, RequestJson};
use crate::request::validate;
use crate::route::{CreateRoute, Tier};
use crate::validation::{Finding, ValidationError};

/// Validated fields, with their JSON body.
#[derive(Clone)]
pub(crate) struct Checked<F> {
    pub(super) fields: F,
    pub(super) json: RequestJson,
    pub(super) warnings: Vec<Finding>,
    /// The routes whose rules the fields conform to, without warnings.
    passed: Vec<CreateRoute>,
}

impl<F: Fields> Checked<F> {
    /// Validates the fields. With `deny_warnings`, a warning is an error, too.
    pub(super) fn new(fields: F, deny_warnings: bool) -> Result<Self, ValidationError> {
        let json = RequestJson::new(&fields);
        let (findings, passed) = validate::validate_for_build(&fields, &json);
        if findings
            .iter()
            .any(|finding| deny_warnings || finding.is_error())
        {
            return Err(ValidationError::new(findings));
        }
        Ok(Self {
            fields,
            json,
            warnings: findings,
            passed,
        })
    }
}

/// The operations of a client on a request of any type.
pub(super) trait CheckedRequest {
    fn tier(&self) -> Tier;
    fn warnings(&self) -> &[Finding];
    fn media(&self) -> Vec<(MediaField, MediaSource)>;
    fn body(&self) -> &Value;

    /// Checks the fields against the rules of one route.
    fn check_route(&self, route: CreateRoute) -> Result<(), ValidationError>;

    /// Replaces an image or a video. Does nothing if the request does not have the field.
    fn set_media(&mut self, field: MediaField, source: MediaSource);
}

impl<F: Fields> CheckedRequest for Checked<F> {
    fn tier(&self) -> Tier {
        self.fields.tier().unwrap_or_default()
    }

    fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    fn media(&self) -> Vec<(MediaField, MediaSource)> {
        self.fields.media()
    }

    fn body(&self) -> &Value {
        self.json.body()
    }

    fn check_route(&self, route: CreateRoute) -> Result<(), ValidationError> {
        if self.passed.contains(&route) {
            return Ok(());
        }
        let findings = validate::validate_for_route(&self.fields, &self.json, route);
        if findings.iter().any(Finding::is_error) {
            return Err(ValidationError::new(findings));
        }
        Ok(())
    }

    fn set_media(&mut self, field: MediaField, source: MediaSource) {
        self.passed.clear();
        let mut media = self.fields.media_mut().into_iter();
        if let Some((_, old)) = media.find(|(one, _)| *one == field) {
            *old = source;
            self.json = RequestJson::new(&self.fields);
        }
    }
}

/// Ignores `passed`, which follows from the other fields.
impl<F: PartialEq> PartialEq for Checked<F> {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields && self.json == other.json && self.warnings == other.warnings
    }
}

/// Omits the JSON, which has the same contents and the queries of URLs.
impl<F: fmt::Debug> fmt::Debug for Checked<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked")
            .field("fields", &self.fields)
            .field("warnings", &self.warnings)
            .finish()
    }
}

/// Declares a request type, its builder and its fields from a table.
///
/// A row has the name of the field in the JSON body, the constant of its limits, its kind (see `kind!`), and the names of its
/// setter and its getter. The text above a row documents both, and describes the field in the JSON Schema and in help
/// texts; the text above `set` documents only the setter.
///
/// `errors` and `warnings` name the functions for rules on several fields.
macro_rules! request {
    (
        $(#[$request_meta:meta])*
        request $request:ident = $schema:literal;
        $(#[$builder_meta:meta])*
        builder $builder:ident;
        fields $fields:ident;
        mode $mode:expr;
        limits $limits:ident $(, $more:ident)*;
        errors $errors:path;
        warnings $warnings:path;
        $(
            $(#[doc = $doc:literal])+
            $field:ident $constant:ident: $kind:ident $(($of:ident))?,
            $(#[$set_meta:meta])*
            set $set:ident($given:ident), get $get:ident;
        )+
    ) => {
        $(#[$request_meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $request {
            pub(super) checked: $crate::request::typed::Checked<$fields>,
        }

        $(#[$builder_meta])*
        #[derive(Clone, Debug, Default)]
        #[must_use = "a builder does nothing until `build`"]
        pub struct $builder {
            fields: $fields,
            deny_warnings: bool,
        }

        /// The fields before validation. They are named as in the JSON body, so a request file is the body that the API
        /// documents.
        #[derive(Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(remote = "Self", deny_unknown_fields, default)]
        pub(crate) struct $fields {
            $(
                #[serde(
                    skip_serializing_if = "crate::request::table::Slot::is_unset",
                    deserialize_with = "crate::request::table::or_unset"
                )]
                pub(super) $field: $crate::request::table::kind!(@value $kind $(($of))?),
            )+
            #[serde(skip_serializing_if = "Option::is_none")]
            tier: Option<$crate::route::Tier>,
        }

        $crate::request::object::object!(
            $fields,
            stringify!($request),
            kling_omni_api::limits::$limits::FIELDS
        );

        $($crate::request::table::kind!(@known $field: $kind $(($of))?);)+

        $(
            const _: () = assert!(
                $crate::request::table::is_documented(
                    <$builder as $crate::request::table::RequestTable>::LIMITS,
                    stringify!($field),
                ),
                concat!(
                    "the spec has no field `", stringify!($field), "` of ", stringify!($request),
                    ": rename its row in ", file!(), " or remove it"
                ),
            );
            const _: () = assert!(
                $crate::request::table::kind!(@is_named stringify!($field), $kind $(($of))?),
                concat!(
                    "`", stringify!($field), "` has another name in `MediaField`: rename it in \
                     crates/kling-omni/src/media_field.rs"
                ),
            );
            const _: () = assert!(
                stringify!($constant).eq_ignore_ascii_case(stringify!($field)),
                concat!("the constant `", stringify!($constant), "` does not match the field `", stringify!($field), "`"),
            );
        )+

        impl $crate::request::fields::Fields for $fields {
            const MODE: $crate::route::Mode = $mode;

            fn tier(&self) -> Option<$crate::route::Tier> {
                self.tier
            }

            fn media_mut(
                &mut self,
            ) -> Vec<($crate::media_field::MediaField, &mut $crate::media::MediaSource)> {
                let mut media = Vec::new();
                $(media.extend($crate::request::table::kind!(@media self.$field, $kind $(($of))?));)+
                media
            }

            fn errors(&self) -> Vec<$crate::validation::Finding> {
                use $crate::request::table::Slot as _;

                let mut errors = Vec::new();
                $(errors.extend(self.$field.errors(stringify!($field)));)+
                errors.extend($errors(self));
                errors
            }

            fn warnings(
                &self,
                json: &$crate::request::fields::RequestJson,
                route: $crate::route::CreateRoute,
            ) -> Vec<$crate::validation::Finding> {
                $warnings(self, json, route)
            }
        }

        impl $crate::request::table::RequestTable for $builder {
            const TABLE: &'static [$crate::request::table::RequestField] = &[$(
                $crate::request::table::RequestField::new::<
                    $crate::request::table::kind!(@value $kind $(($of))?),
                >(stringify!($field), &[$($doc),+]),
            )+];
            const LIMITS: &'static [&'static [kling_omni_api::Field]] = &[
                kling_omni_api::limits::$limits::FIELDS,
                $(kling_omni_api::limits::$more::FIELDS,)*
            ];

            fn set(
                mut self,
                name: &str,
                value: $crate::request::table::FieldValue,
            ) -> Result<Self, String> {
                use $crate::request::table::Slot as _;

                match name {
                    $(stringify!($field) => self.fields.$field.set(value)?,)+
                    _ => return Err(format!("is not a field of {}", stringify!($request))),
                }
                Ok(self)
            }

            fn media_mut(
                &mut self,
            ) -> Vec<($crate::media_field::MediaField, &mut $crate::media::MediaSource)> {
                $crate::request::fields::Fields::media_mut(&mut self.fields)
            }
        }

        impl $request {
            $(
                $(#[doc = $doc])+
                pub fn $get(&self) -> $crate::request::table::kind!(@output $kind $(($of))?) {
                    $crate::request::table::Slot::get(&self.checked.fields.$field)
                }
            )+

            /// Returns a builder without any field set.
            pub fn builder() -> $builder {
                $builder::default()
            }

            /// The findings that are not errors but suggest a mistake. They are logged when the request is sent. With
            /// `deny_warnings` of the builder they are errors instead.
            pub fn warnings(&self) -> &[$crate::validation::Finding] {
                &self.checked.warnings
            }

            /// The quality tier of the request.
            pub fn tier(&self) -> $crate::route::Tier {
                self.checked.fields.tier.unwrap_or_default()
            }

            /// All images and videos of the request.
            pub fn media(
                &self,
            ) -> Vec<($crate::media_field::MediaField, $crate::media::MediaSource)> {
                $crate::request::fields::Fields::media(&self.checked.fields)
            }
        }

        impl $builder {
            $(
                $(#[doc = $doc])+
                ///
                #[doc = $crate::request::table::kind!(@doc $kind)]
                ///
                $(#[$set_meta])*
                ///
                #[doc = concat!(
                    "Limits: [`", stringify!($constant), "`](kling_omni_api::limits::", stringify!($limits), "::",
                    stringify!($constant), ")."
                )]
                pub fn $set(
                    mut self,
                    $given: $crate::request::table::kind!(@parameter $kind $(($of))?),
                ) -> Self {
                    $crate::request::table::Slot::insert(&mut self.fields.$field, $given.into());
                    self
                }
            )+

            /// Sets the quality tier of the request. Default: [`Tier::Pro`](crate::Tier::Pro).
            pub fn tier(mut self, tier: $crate::route::Tier) -> Self {
                self.fields.tier = Some(tier);
                self
            }

            /// Treats warnings as errors. Default: false.
            pub fn deny_warnings(mut self, deny: bool) -> Self {
                self.deny_warnings = deny;
                self
            }

            /// All findings about the current fields, errors first.
            pub fn findings(&self) -> Vec<$crate::validation::Finding> {
                let json = $crate::request::fields::RequestJson::new(&self.fields);
                let (findings, _) = $crate::request::validate::validate_for_build(&self.fields, &json);
                findings
            }

            /// Validates the fields and builds the request.
            ///
            /// # Errors
            ///
            /// [`ValidationError`](crate::validation::ValidationError) with **every** rule that the request violates.
            /// Rules of only one of several routes are checked by [`Client::create`](crate::Client::create), when the
            /// route is known and still before anything is paid for.
            pub fn build(self) -> Result<$request, $crate::validation::ValidationError> {
                let checked =
                    $crate::request::typed::Checked::new(self.fields, self.deny_warnings)?;
                Ok($request { checked })
            }

            /// Returns the JSON body without validation, for
            /// [`Client::create_unchecked`](crate::Client::create_unchecked) after a change of the service's rules.
            pub fn to_unchecked_body(&self) -> serde_json::Value {
                $crate::request::fields::RequestJson::new(&self.fields)
                    .body()
                    .clone()
            }
        }

        #[automatically_derived]
        impl serde::Serialize for $request {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(&self.checked.fields, serializer)
            }
        }

        #[automatically_derived]
        impl<'de> serde::Deserialize<'de> for $request {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let builder = <$builder as serde::Deserialize>::deserialize(deserializer)?;
                builder.build().map_err(serde::de::Error::custom)
            }
        }

        #[automatically_derived]
        impl<'de> serde::Deserialize<'de> for $builder {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let fields = serde::Deserialize::deserialize(deserializer)?;
                Ok(Self {
                    fields,
                    deny_warnings: false,
                })
            }
        }

        #[cfg(feature = "schemars")]
        #[automatically_derived]
        impl schemars::JsonSchema for $request {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($request).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let values = [$(
                    <$crate::request::table::kind!(@value $kind $(($of))?)
                        as $crate::request::table::Slot>::schema(generator),
                )+];
                let table = <$builder as $crate::request::table::RequestTable>::TABLE;
                let limits = <$builder as $crate::request::table::RequestTable>::LIMITS;
                $crate::request::schema::request_schema($schema, table, limits, values, generator)
            }
        }
    };
}
pub(super) use request;
