//! The conversions of the generated request types into the body that the creates take.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::prepare::create_bodies;
use super::spec::Spec;

/// Emits the conversions, from each request type of a create and from its builder.
pub fn emit(spec: &Spec) -> TokenStream {
    let conversions = create_bodies(spec).into_iter().map(|name| {
        let name = format_ident!("{name}");
        quote! {
            impl TryFrom<types::#name> for RequestBody {
                type Error = types::error::ConversionError;
                fn try_from(request: types::#name) -> Result<Self, Self::Error> {
                    Self::new(&request).map_err(|error| error.to_string().into())
                }
            }
            impl TryFrom<types::builder::#name> for RequestBody {
                type Error = types::error::ConversionError;
                fn try_from(request: types::builder::#name) -> Result<Self, Self::Error> {
                    types::#name::try_from(request)?.try_into()
                }
            }
        }
    });
    quote! {
        //! The request types as bodies of the operations that create a task.
        use super::types;
        use crate::RequestBody;
        #(#conversions)*
    }
}
