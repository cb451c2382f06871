//! Rules about the document as a whole, and about texts.

define_rules! {
    EDITION_CHANGED "openapi-version-changed" Info None [Docs]
        "edition of OpenAPI changed"
        "The document is written in another edition of OpenAPI, and one of both is neither 3.0 nor 3.1. What it says may mean something else than what is compared here."

    TITLE_CHANGED "api-title-changed" Info None [Docs]
        "title of the document changed"
        "`info.title` is another. It only appears in texts."

    VERSION_CHANGED "api-version-changed" Info None [Docs]
        "version of the document changed"
        "`info.version` is another. It says nothing about the routes, which carry their version in the path."

    INFO_CHANGED "api-info-changed" Info None [Docs]
        "contact, licence or terms changed"
        "One of the particulars in `info` is another, is new or is gone. Look at it when it is the licence or the terms."

    SERVER_ADDED "server-added" Info None [GeneratedApi, Ergonomic]
        "server added"
        "There is one more base URL. Clients may offer it; which credentials belong to it is for them to know."

    SERVER_REMOVED "server-removed" Error None [Wire, GeneratedApi, Ergonomic]
        "server removed"
        "A base URL is gone. Clients that use it have to move; its generated constant disappears."

    SERVER_ORDER_CHANGED "server-order-changed" Warning None [Wire, GeneratedApi]
        "order of the servers changed"
        "The same servers stand in another order. Clients use the first one by default."

    SERVER_VARIABLES_CHANGED "server-variables-changed" Warning None [Wire]
        "variables of a server changed"
        "The variables in a base URL, their defaults or their values are others, so the same choice can lead elsewhere."

    TAG_ADDED "tag-added" Info None [Docs]
        "tag declared"
        "The document declares one more tag for grouping operations in texts."

    TAG_REMOVED "tag-removed" Info None [Docs]
        "tag no longer declared"
        "The document no longer declares a tag for grouping operations in texts."

    DESCRIPTION_CHANGED "description-changed" Info None [Docs]
        "description changed"
        "A description is another, is new or is gone. Read it: vendors announce changes of behaviour in descriptions first. Generated doc comments follow it; texts that are written by hand do not."

    SUMMARY_CHANGED "summary-changed" Info None [Docs]
        "summary changed"
        "A one-line summary is another, is new or is gone. Generated doc comments follow it."

    SCHEMA_TITLE_CHANGED "title-changed" Info None [Docs]
        "title of a schema changed"
        "The `title` of a schema is another, is new or is gone."

    EXTERNAL_DOCS_CHANGED "external-docs-changed" Info None [Docs]
        "link to further documentation changed"
        "`externalDocs` leads elsewhere, is new or is gone."

    EXAMPLE_ADDED "example-added" Info None [Docs]
        "example added"
        "There is one more example. Tests that use the examples of the document read it, too."

    EXAMPLE_REMOVED "example-removed" Info None [Docs]
        "example removed"
        "An example is gone, and with it a test case."

    EXAMPLE_CHANGED "example-changed" Info None [Docs]
        "example changed"
        "An example shows something else. Tests that use the examples of the document read it, too."
}
