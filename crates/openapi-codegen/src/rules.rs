//! The rules of the lint: what code generation would silently get wrong.

openapi_diff::define_rules! {
    UNREADABLE "unreadable" Error None [GeneratedApi]
        "no readable document"
        "The text is not YAML, has a key twice, nests too deeply, or is otherwise nothing that a document can be read from. Nothing else was looked at. Mend the place that the message names."

    OPENAPI_VERSION "openapi-version" Error None [GeneratedApi]
        "other edition of OpenAPI"
        "The generator reads OpenAPI 3.0 only, and would misread what later editions spell otherwise. Write the document in 3.0."

    MISSING_PART "missing-part" Error None [GeneratedApi]
        "part is missing"
        "Something is missing or empty that generated code is made from. Write it."

    IGNORED "ignored" Error None [GeneratedApi]
        "would be left out"
        "Code generation silently ignores this, and it would have no effect. Remove it, or say it in a way that the generator reads."

    UNKNOWN_EXTENSION "unknown-extension" Error None [GeneratedApi]
        "unknown extension"
        "Nothing reads an extension of this name. Most likely it is misspelt; openapi/README.md lists those that are known."

    MISPLACED_EXTENSION "misplaced-extension" Error None [GeneratedApi]
        "extension in the wrong place"
        "The extension is known, but means nothing here. Move it to where the message says."

    MALFORMED_EXTENSION "malformed-extension" Error None [GeneratedApi]
        "extension of the wrong form"
        "The extension is known, but its value is not of the form that openapi/README.md describes."

    TASK "task" Error None [GeneratedApi]
        "task operations that do not agree"
        "`x-task` says what each operation does with tasks, and the table of operations is generated from it. An operation has to read each task. Operations of one kind need the same parameters and the same response. Of two operations that create tasks of the same mode and tier, the older has to name the newer."

    BROKEN_REFERENCE "broken-reference" Error None [GeneratedApi]
        "reference leads nowhere"
        "A `$ref` names something that is not there, that stands outside the components, or that leads back to itself."

    REFERENCE_SIBLINGS "reference-siblings" Error None [GeneratedApi]
        "keys beside a reference"
        "OpenAPI 3.0 ignores every key beside a `$ref`. Move them to what the reference leads to, or write the schema out."

    MISSING_OPERATION_ID "missing-operation-id" Error None [GeneratedApi]
        "operation without a name"
        "The `operationId` becomes the name of the generated method. Give the operation one."

    COLLISION "collision" Error None [GeneratedApi]
        "two things of one Rust name"
        "Two names of the document become the same name in Rust, and one would displace the other. Rename one of them."

    UNFIT_NAME "unfit-name" Error None [GeneratedApi]
        "name that Rust cannot take"
        "The name cannot stand in generated code, or not unchanged. Choose one of the form that the message asks for."

    SUCCESS_COUNT "success-count" Error None [GeneratedApi]
        "not exactly one status of success"
        "A generated method answers with one type, so an operation needs exactly one 2xx response."

    SUCCESS_RANGE "success-range" Error None [GeneratedApi]
        "range of statuses as success"
        "A range, or `default`, as the only success would take other statuses for success, too. Name one status."

    MEDIA_TYPE "media-type" Error None [GeneratedApi]
        "body in another form than JSON"
        "Generated code reads and writes `application/json`, and nothing else beside it."

    INLINE_BODY "inline-body" Error None [GeneratedApi]
        "body without a name"
        "The generator makes up names for schemas of bodies, and may take the same name twice. Move the schema to the components and refer to it."

    OPTIONAL_BODY "optional-body" Error None [GeneratedApi]
        "body that may be left out"
        "The generator always sends a body. Say `required: true`, which is what happens."

    PARAMETER "parameter" Error None [GeneratedApi]
        "parameter that cannot be generated"
        "The generator refuses parameters of this kind, or ignores what is said about them. The message says what it copes with."

    INLINE_ENUM "inline-enum" Error None [GeneratedApi]
        "enum without a name"
        "The list of values becomes a Rust enum, which needs a name. Move the schema to the components and refer to it."

    INLINE_OBJECT "inline-object" Error None [GeneratedApi]
        "object without a name"
        "The object becomes a Rust struct, which needs a name. Move the schema to the components and refer to it."

    ENUM "enum" Error None [GeneratedApi]
        "enum that cannot be generated"
        "The list of values cannot become a Rust enum: it is empty, repeats itself, or holds something other than texts."

    VARIANT_NAMES "variant-names" Error None [GeneratedApi]
        "names that do not fit the values"
        "`x-enum-varnames` needs one name for each value, in the same order, each in PascalCase and none twice. It is required if a value is not such a name itself."

    COMPOSITION "composition" Error None [GeneratedApi]
        "schema made of several"
        "`allOf`, `anyOf`, `oneOf` and `not` have no plain Rust type that people would like to use. Write one schema."

    UNSUPPORTED_KEYWORD "unsupported-keyword" Error None [GeneratedApi]
        "keyword that would be lost"
        "Neither generated types nor generated limits can state the keyword, and it would be lost. Say it in the description, or extend code generation."

    TYPE "type" Error None [GeneratedApi]
        "missing or unknown type"
        "A schema needs a `type`, and one that the generator knows; a list needs its `items`."

    UNKNOWN_FORMAT "unknown-format" Error None [GeneratedApi]
        "unknown format"
        "The generator does not know the format for this type, or would need another crate for it. Leave it out, or take one that the message names."

    BOUND "bound" Error None [GeneratedApi]
        "bound without sense"
        "The bound cannot be met, contradicts its counterpart, or says nothing about a value of this type."

    DEFAULT "default" Error None [GeneratedApi]
        "default that breaks the rules"
        "The default is not of the type of the schema, or breaks one of its own bounds. One of the two is wrong."

    UNKNOWN_REQUIRED "unknown-required" Error None [GeneratedApi]
        "required, but no property"
        "`required` names something that is not a property of the object. Most likely it is misspelt, or the property was renamed."
}
