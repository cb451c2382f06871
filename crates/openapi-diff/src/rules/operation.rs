//! Rules about paths, operations, callbacks and security.

define_rules! {
    ENDPOINT_ADDED "endpoint-added" Info None [GeneratedApi, Ergonomic]
        "operation added"
        "There is one more operation. Generated clients get a method for it."

    PATH_REMOVED "api-path-removed-without-deprecation" Error Request [Wire, GeneratedApi, Ergonomic]
        "path removed without warning"
        "The whole path of the operation is gone, and the older document did not call it deprecated. Look for a successor route."

    PATH_REMOVED_DEPRECATED "api-path-removed-with-deprecation" Warning Request [Wire, GeneratedApi, Ergonomic]
        "deprecated path removed"
        "The whole path of the operation is gone, as its deprecation announced. Take it out of clients."

    OPERATION_REMOVED "api-removed-without-deprecation" Error Request [Wire, GeneratedApi, Ergonomic]
        "operation removed without warning"
        "The path is still there, but not with this method, and the older document did not call the operation deprecated."

    OPERATION_REMOVED_DEPRECATED "api-removed-with-deprecation" Warning Request [Wire, GeneratedApi, Ergonomic]
        "deprecated operation removed"
        "The path is still there, but no longer with this method, as its deprecation announced."

    EMPTY_PATH_ADDED "api-path-added" Info None [Docs]
        "path without operations added"
        "There is one more path, but no operation in it."

    EMPTY_PATH_REMOVED "api-path-removed" Info None [Docs]
        "path without operations removed"
        "A path that had no operation is gone."

    PATH_PARAMETER_RENAMED "path-parameter-renamed" Info Request [GeneratedApi, Ergonomic]
        "path parameter renamed"
        "A placeholder in the path has another name and stands where it stood. The same URLs are called; the generated builder names its setter differently."

    ENDPOINT_DEPRECATED "endpoint-deprecated" Info None [Docs]
        "operation deprecated"
        "The document advises against the operation and keeps it for now. Look for its successor, and prefer that one."

    ENDPOINT_REACTIVATED "endpoint-reactivated" Info None [Docs]
        "operation no longer deprecated"
        "The document no longer advises against the operation."

    OPERATION_ID_CHANGED "api-operation-id-changed" Warning None [GeneratedApi, Ergonomic]
        "operation id changed"
        "The operation has another name. The same requests are sent, but the generated method is renamed and its callers no longer compile."

    OPERATION_ID_ADDED "api-operation-id-added" Info None [GeneratedApi]
        "operation id added"
        "The operation has a name now, and with it a generated method of that name."

    OPERATION_ID_REMOVED "api-operation-id-removed" Warning None [GeneratedApi, Ergonomic]
        "operation id removed"
        "The operation has no name any more. Code generators make a name up, or refuse it."

    OPERATION_TAG_ADDED "api-tag-added" Info None [Docs]
        "tag of an operation added"
        "Texts group the operation under one more tag."

    OPERATION_TAG_REMOVED "api-tag-removed" Info None [Docs]
        "tag of an operation removed"
        "Texts no longer group the operation under a tag."

    CALLBACK_ADDED "callback-added" Info Response [Wire, Ergonomic]
        "callback added"
        "The service makes one more kind of call to us. Receivers that do not know it are as good as they were; test servers should make it as well."

    CALLBACK_REMOVED "callback-removed" Error Response [Wire, Ergonomic]
        "callback removed"
        "The service no longer makes a call to us that programs may wait for."

    GLOBAL_SECURITY_ADDED "api-global-security-added" Info Request [Wire, GeneratedApi, Ergonomic]
        "one more way to authenticate by default"
        "Operations that say nothing of their own take one more kind of credentials. The kinds that were taken still are."

    GLOBAL_SECURITY_REMOVED "api-global-security-removed" Error Request [Wire, GeneratedApi, Ergonomic]
        "one way less to authenticate by default"
        "Operations that say nothing of their own no longer take a kind of credentials. Clients that send it are refused."

    SECURITY_ADDED "api-security-added" Info Request [Wire, GeneratedApi, Ergonomic]
        "one more way to authenticate"
        "The operation takes one more kind of credentials. The kinds that were taken still are."

    SECURITY_REMOVED "api-security-removed" Error Request [Wire, GeneratedApi, Ergonomic]
        "one way less to authenticate"
        "The operation no longer takes a kind of credentials. Clients that send it are refused."

    SECURITY_BECAME_REQUIRED "api-security-became-required" Error Request [Wire, Ergonomic]
        "credentials became required"
        "What anybody could call needs credentials now."

    SECURITY_BECAME_OPTIONAL "api-security-became-optional" Info Request [Wire, Ergonomic]
        "credentials became optional"
        "What needed credentials can be called by anybody now. Check that no key is sent where none is wanted."

    SECURITY_SCOPE_ADDED "api-security-scope-added" Error Request [Wire, Ergonomic]
        "scope demanded"
        "Credentials must have one scope more than before, and those handed out earlier may lack it."

    SECURITY_SCOPE_REMOVED "api-security-scope-removed" Info Request [Wire]
        "scope no longer demanded"
        "Credentials may lack a scope that was demanded before."

    SCHEME_ADDED "api-security-component-added" Info None [GeneratedApi]
        "security scheme added"
        "The document describes one more kind of credentials. Which operations take it, other findings say."

    SCHEME_REMOVED "api-security-component-removed" Info None [GeneratedApi, Ergonomic]
        "security scheme removed"
        "The document no longer describes a kind of credentials. Which operations lose it, other findings say; its generated constant disappears."

    SCHEME_RENAMED "api-security-component-renamed" Info None [GeneratedApi, Ergonomic]
        "security scheme renamed"
        "The same kind of credentials goes by another name in the document. The same header is sent; the generated constant is renamed."

    SCHEME_CHANGED "api-security-component-changed" Error Request [Wire, GeneratedApi, Ergonomic]
        "security scheme changed"
        "A kind of credentials is sent otherwise than before: in another place, under another name, or after another procedure. Clients that send it the older way are refused."
}
