//! Rules about the comparison with the vendor's document. There, the older document is ours and the newer the vendor's.

openapi_diff::define_rules! {
    OPERATION_MISSING "upstream-operation-missing" Error None [Wire, Ergonomic]
        "the vendor's document lacks an operation of ours"
        "Our spec describes an operation that the vendor's document does not have, under any name of its placeholders. The vendor may have taken it out: look for a successor route, and at what the service answers. When we know more than the document, accept it with the reason."

    SIBLING_OPERATION "upstream-sibling-operation" Info None [GeneratedApi, Ergonomic]
        "the vendor's document has an operation beside ours"
        "The vendor's document has an operation that our spec does not describe, and its path begins like one of ours or names the same product family. It is news about the same model or its siblings: describe it in our spec, or accept that we leave it out."

    EMPTY_SCHEMA "upstream-empty-schema-named-like-response" Warning Response [Docs]
        "an answer refers to an empty schema instead of the response of that name"
        "In the vendor's document an answer names a schema that says nothing, while a response component of the same name describes the answer. That is an error in the vendor's document: read literally, the answer could be anything. The comparison takes the response component instead. Nothing has to be done here; generators that are fed with the vendor's document make untyped answers of it."

    MEDIA_PROSE_DIFFERS "upstream-media-prose-differs" Warning Request [Wire, Ergonomic]
        "the vendor's prose has other numbers for a file"
        "JSON Schema has no words for what a file has to be, so the vendor says it in the description and our spec in `x-media`. The description has numbers in the unit of a span, and a bound of ours is not among them. Correct the span, or accept the difference with the reason."
}
