//! Rules about components, references, and what no rule knows.

define_rules! {
    SCHEMA_ADDED "component-schema-added" Info None [GeneratedApi]
        "component schema added"
        "There is one more named schema, and with it a generated type as soon as an operation reaches it."

    SCHEMA_REMOVED "component-schema-removed" Info None [GeneratedApi, Ergonomic]
        "component schema removed"
        "A named schema is gone, and with it the generated type of that name. What that means for the wire, other findings say where it was used."

    SCHEMA_RENAMED "component-schema-renamed" Info None [GeneratedApi, Ergonomic]
        "component schema renamed"
        "A schema goes by another name. Nothing changes on the wire; generated types are renamed."

    COMPONENT_ADDED "component-added" Info None [Docs]
        "component added"
        "There is one more named parameter, header, body, answer, example, link or callback. Where it is used, other findings say what that means."

    COMPONENT_REMOVED "component-removed" Info None [Docs]
        "component removed"
        "A named parameter, header, body, answer, example, link or callback is gone. Where it was used, other findings say what that means."

    COMPONENT_RENAMED "component-renamed" Info None [Docs]
        "component renamed"
        "A parameter, header, body, answer, example, link or callback goes by another name. Nothing changes on the wire and nothing in generated code."

    COMPONENT_CHANGED "component-changed" Info None [Docs]
        "unused component changed"
        "A component that no operation of both documents reaches says something else. Nothing comes of it until an operation refers to it."

    REFERENCE_CHANGED "component-reference-changed" Info None [GeneratedApi, Ergonomic]
        "reference to another component"
        "A `$ref` names another component of the document. What differs between the two, other findings say; the generated type at this place is another one in any case."

    REFERENCE_SIBLINGS_CHANGED "reference-siblings-changed" Info None [Docs]
        "keys beside a reference changed"
        "OpenAPI 3.0 ignores every key beside a `$ref`, so this has no effect, although one was probably intended."

    REFERENCE_BROKEN "reference-broken" Error None [Wire, GeneratedApi, Ergonomic]
        "reference leads nowhere"
        "A `$ref` names something that the document does not have, that stands outside it, or that leads back to itself. What is behind it cannot be compared. Mend the document."

    NESTED_TOO_DEEPLY "nested-too-deeply" Error None [Wire, GeneratedApi, Ergonomic, Docs]
        "nested too deeply"
        "The document nests deeper than any that people write, so nothing in it was compared. Look at it before anything else does."

    UNCLASSIFIED "unclassified" Error None [Wire, GeneratedApi, Ergonomic, Docs]
        "difference that no rule knows"
        "The documents differ in a way for which there is no rule, be it a keyword, an extension, or a value of an unexpected form. It counts as an error because its meaning is unknown. For an extension, implement the trait `Extension`."
}
