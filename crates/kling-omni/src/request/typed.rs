/// What every type of request and its builder have in common: validation at the end of the builder, and the way into and
/// out of JSON.
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
                $crate::request::validate::at_build(&self.fields)
            }

            /// Checks everything and makes the request.
            ///
            /// # Errors
            ///
            /// [`ValidationError`](crate::ValidationError) with **every** rule that the request breaks. Rules that only
            /// one of several routes has are checked when the route is known, by
            /// [`Client::create`](crate::Client::create), still before anything is paid for.
            pub fn build(self) -> Result<$request, $crate::validation::ValidationError> {
                let checked =
                    $crate::request::checked::Checked::new(self.fields, self.deny_warnings)?;
                Ok($request { checked })
            }

            /// The request as the JSON body of the API, checked by nobody: for
            /// [`Client::create_unchecked`](crate::Client::create_unchecked), on the day the service's rules move
            /// before ours.
            pub fn to_unchecked_body(&self) -> serde_json::Value {
                serde_json::Value::Object($crate::request::fields::Fields::body(&self.fields))
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

            /// Every image and video that is set, with the name of its field.
            pub fn media(&self) -> Vec<(String, $crate::media::MediaSource)> {
                $crate::request::fields::Fields::media_copy(&self.checked.fields)
            }

            /// Puts URLs in the place of what was uploaded to them, by the names of the fields.
            pub(crate) fn set_urls(&mut self, urls: &std::collections::BTreeMap<String, String>) {
                $crate::request::fields::Fields::set_urls(&mut self.checked.fields, urls);
            }

            pub(crate) fn body(&self) -> serde_json::Map<String, serde_json::Value> {
                $crate::request::fields::Fields::body(&self.checked.fields)
            }

            /// Holds the request against the rules of one route of the service.
            pub(crate) fn check_for(
                &self,
                route: $crate::route::CreateRoute,
            ) -> Result<(), $crate::validation::ValidationError> {
                self.checked.check_for(route)
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
