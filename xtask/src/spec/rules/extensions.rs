//! Rules about the extensions that this workspace has given the spec.

openapi_diff::define_rules! {
    PROVENANCE_CHANGED "provenance-changed" Info None [Docs]
        "provenance changed"
        "`x-provenance` names another place for where the facts come from."

    TASK_ADDED "task-added" Info None [GeneratedApi, Ergonomic]
        "role of an operation added"
        "`x-task` says what the operation does with tasks, and nothing did before."

    TASK_CHANGED "task-changed" Warning None [GeneratedApi, Ergonomic]
        "role of an operation changed"
        "`x-task` says something else of what the operation does with tasks: whether it costs money, for which mode and tier it is chosen, where its tasks are read and listed, or whether it is repeated. Programs take other operations for the same call, and names in journals may change."

    TASK_REMOVED "task-removed" Warning None [GeneratedApi, Ergonomic]
        "role of an operation removed"
        "`x-task` is gone, and nothing says what the operation does with tasks. Code generation refuses it until something does."

    OUTPUT_SECONDS_CHANGED "output-seconds-changed" Info None [GeneratedApi, Ergonomic]
        "length of the video to make changed"
        "`x-output-seconds` says something else of how long the video to make can be with a value. The client warns of a reference video of which a part is left unused, and refuses nothing."

    MEDIA_ORDER_CHANGED "media-format-order-changed" Info None [GeneratedApi]
        "order of the file formats changed"
        "The same formats stand in another order in `x-media`. Only the generated constant and the texts that list them change."
}

openapi_diff::define_families! {
    MEDIA_ADDED "media-rules-added" Narrower Bound
        "rules for the file added"
        "`x-media` says what the file behind the URL has to be, and nothing did before."

    MEDIA_REMOVED "media-rules-removed" Wider Bound
        "rules for the file removed"
        "`x-media` is gone, and nothing says what the file behind the URL has to be."

    MEDIA_KIND_CHANGED "media-kind-changed" Other Bound
        "other kind of file"
        "The file behind the URL has to be of another kind."

    MEDIA_FORMAT_ADDED "media-format-added" Wider Bound
        "file format added"
        "The file behind the URL may be of a format that was not allowed before."

    MEDIA_FORMAT_REMOVED "media-format-removed" Narrower Bound
        "file format removed"
        "The file behind the URL may no longer be of a format that was allowed."

    MEDIA_BOUND_TIGHTENED "media-bound-tightened" Narrower Bound
        "bound of the file tightened"
        "A span in `x-media` ends earlier, begins later, or is new."

    MEDIA_BOUND_LOOSENED "media-bound-loosened" Wider Bound
        "bound of the file loosened"
        "A span in `x-media` ends later, begins earlier, or is gone."
}
