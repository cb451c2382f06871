//! Rules about the comparison with the vendor's document. There, the older document is ours and the newer the vendor's.

openapi_diff::define_rules! {
    OPERATION_MISSING "upstream-operation-missing" Error None [Wire, Ergonomic]
        "the vendor's document lacks an operation of ours"
        "Our spec describes an operation that the vendor's document does not have, under any name of its placeholders. The vendor may have taken it out: look for a successor route, and at what the service answers. When we know more than the document, accept it with the reason."

    SIBLING_OPERATION "upstream-sibling-operation" Info None [GeneratedApi, Ergonomic]
        "the vendor's document has an operation beside ours"
        "The vendor's document has an operation that our spec does not describe, and its path begins like one of ours. It is news about the same model: describe it in our spec, or accept that we leave it out."

    EMPTY_SCHEMA "upstream-empty-schema-named-like-response" Warning Response [Docs]
        "an answer refers to an empty schema instead of the response of that name"
        "In the vendor's document an answer names a schema that says nothing, while a response component of the same name describes the answer. That is a slip of the vendor's: read to the letter, the answer could be anything. The comparison takes the response component instead. Nothing has to be done here; generators that are fed with the vendor's document make untyped answers of it."
}
