//! What every type of request and its builder have in common: validation at the end of the builder, and the way into and
//! out of JSON.

use std::collections::BTreeMap;
use std::fmt;

use crate::media_field::MediaField;
use crate::request::fields::{Fields, RequestJson};
use crate::request::validate;
use crate::route::CreateRoute;
use crate::validation::{Finding, ValidationError};

/// Fields that have passed validation, with the JSON body that they were serialised to.
#[derive(Clone)]
pub(crate) struct Checked<F> {
    pub(super) fields: F,
    pub(super) json: RequestJson,
    pub(super) warnings: Vec<Finding>,
    /// The routes whose rules it has passed as it stands.
    passed: Vec<CreateRoute>,
}

impl<F: Fields> Checked<F> {
    /// Checks fields against every rule; with `deny_warnings`, a likely mistake is an error, too.
    pub(super) fn new(fields: F, deny_warnings: bool) -> Result<Self, ValidationError> {
        let json = RequestJson::new(&fields);
        let (findings, passed) = validate::at_build(&fields, &json);
        if findings.iter().any(|one| deny_warnings || one.is_error()) {
            return Err(ValidationError::new(findings));
        }
        Ok(Self {
            fields,
            json,
            warnings: findings,
            passed,
        })
    }

    /// Checks the fields against the rules of one route of the service.
    pub(super) fn check_for(&self, route: CreateRoute) -> Result<(), ValidationError> {
        if self.passed.contains(&route) {
            return Ok(());
        }
        let findings = validate::against(&self.fields, &self.json, route);
        if findings.iter().any(Finding::is_error) {
            return Err(ValidationError::new(findings));
        }
        Ok(())
    }

    /// Replaces files with the URLs that they were uploaded to.
    pub(super) fn set_urls(&mut self, urls: &BTreeMap<MediaField, String>) {
        self.passed.clear();
        for (field, source) in self.fields.media_mut() {
            if let Some(url) = urls.get(&field) {
                self.json.set_url(field, url);
                *source = url.as_str().into();
            }
        }
    }
}

/// Without the routes that it has passed, which follow from the rest.
impl<F: PartialEq> PartialEq for Checked<F> {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields && self.json == other.json && self.warnings == other.warnings
    }
}

/// Without the JSON, which says the same and has the queries of URLs.
impl<F: fmt::Debug> fmt::Debug for Checked<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked")
            .field("fields", &self.fields)
            .field("warnings", &self.warnings)
            .finish()
    }
}

macro_rules! request {
    ($request:ident, $builder:ident, $fields:ident) => {
        impl $builder {
            /// Quality tier that makes the video.
            pub fn tier(mut self, tier: $crate::route::Tier) -> Self {
                self.fields.tier = Some(tier);
                self
            }

            /// Treats warnings as errors: `build` refuses what merely looks like a mistake, too.
            pub fn deny_warnings(mut self, deny: bool) -> Self {
                self.deny_warnings = deny;
                self
            }

            /// Every finding about the request as it stands, errors first.
            pub fn findings(&self) -> Vec<$crate::validation::Finding> {
                let json = $crate::request::fields::RequestJson::new(&self.fields);
                let (findings, _) = $crate::request::validate::at_build(&self.fields, &json);
                findings
            }

            /// Checks everything and makes the request.
            ///
            /// # Errors
            ///
            /// [`ValidationError`](crate::validation::ValidationError) with **every** rule that the request breaks. Rules that only
            /// one of several routes has are checked when the route is known, by
            /// [`Client::create`](crate::Client::create), still before anything is paid for.
            pub fn build(self) -> Result<$request, $crate::validation::ValidationError> {
                let checked =
                    $crate::request::typed::Checked::new(self.fields, self.deny_warnings)?;
                Ok($request { checked })
            }

            /// The request as the JSON body of the API, checked by nobody: for
            /// [`Client::create_unchecked`](crate::Client::create_unchecked), on the day the service's rules move
            /// before ours.
            pub fn to_unchecked_body(&self) -> serde_json::Value {
                $crate::request::fields::RequestJson::new(&self.fields)
                    .body()
                    .clone()
            }
        }

        impl From<$fields> for $builder {
            fn from(fields: $fields) -> Self {
                Self {
                    fields,
                    deny_warnings: false,
                }
            }
        }

        impl $request {
            /// Starts a request with nothing set.
            pub fn builder() -> $builder {
                $builder::default()
            }

            /// Findings that are legal but look like mistakes. They are logged when the request is sent, and stop
            /// nothing unless `deny_warnings` of the builder asked for that.
            pub fn warnings(&self) -> &[$crate::validation::Finding] {
                &self.checked.warnings
            }

            /// Quality tier that makes the video.
            pub fn tier(&self) -> $crate::route::Tier {
                self.checked.fields.tier.unwrap_or_default()
            }

            /// Every image and video that is set.
            pub fn media(
                &self,
            ) -> Vec<($crate::media_field::MediaField, $crate::media::MediaSource)> {
                $crate::request::fields::Fields::media(&self.checked.fields)
            }
        }

        impl TryFrom<$fields> for $request {
            type Error = $crate::validation::ValidationError;

            fn try_from(fields: $fields) -> Result<Self, Self::Error> {
                $builder::from(fields).build()
            }
        }

        impl From<$request> for $fields {
            fn from(request: $request) -> Self {
                request.checked.fields
            }
        }
    };
}
pub(super) use request;
