//! Rules about what goes over the wire around the schemas: parameters, headers, bodies, media types, statuses.

define_rules! {
    PATH_PARAMETER_ADDED "new-request-path-parameter" Error Request [Wire, GeneratedApi, Ergonomic]
        "path parameter added"
        "The path demands one more value, so every URL that was built before is another."

    SUCCESS_ADDED "response-success-status-added" Warning Response [Wire, GeneratedApi, Ergonomic]
        "status of success added"
        "The service may report success with one more status. Clients that know only the other take it for a failure."

    SUCCESS_REMOVED "response-success-status-removed" Error Response [Wire, GeneratedApi, Ergonomic]
        "status of success removed"
        "The service no longer reports success with a status that programs wait for."

    FAILURE_ADDED "response-non-success-status-added" Info Response [Wire, Ergonomic]
        "status of failure added"
        "The document describes one more way in which the operation fails. Clients treat it like every failure that they do not know; say whether a second attempt makes sense."

    FAILURE_REMOVED "response-non-success-status-removed" Info Response [Wire, Ergonomic]
        "status of failure removed"
        "The document no longer describes a way in which the operation fails. It may still happen; keep what handles it."

    ACKNOWLEDGEMENT_ADDED "callback-response-status-added" Info Request [Wire]
        "answer to a callback added"
        "We may answer a call of the service with one more status."

    ACKNOWLEDGEMENT_REMOVED "callback-response-status-removed" Error Request [Wire, Ergonomic]
        "answer to a callback removed"
        "A status with which receivers answer calls of the service is no longer described, and may be taken for a failure."

    LINK_CHANGED "response-link-changed" Info Response [Docs]
        "link between operations changed"
        "How a value of this answer serves in another operation is described otherwise, is new or is gone."
}

define_pairs! {
    REQUIRED_PARAMETER_ADDED "new-required-request-parameter" Error "required-response-header-added" Info [Wire, GeneratedApi, Ergonomic]
        "required parameter or header added"
        "There is a new parameter or header that must be there."

    OPTIONAL_PARAMETER_ADDED "new-optional-request-parameter" Info "optional-response-header-added" Info [GeneratedApi, Ergonomic]
        "optional parameter or header added"
        "There is a new parameter or header that may be left out."

    REQUIRED_PARAMETER_REMOVED "required-request-parameter-removed" Warning "required-response-header-removed" Error [Wire, GeneratedApi, Ergonomic]
        "required parameter or header removed"
        "A parameter or header that had to be there is no longer described."

    OPTIONAL_PARAMETER_REMOVED "request-parameter-removed" Warning "optional-response-header-removed" Warning [Wire, GeneratedApi, Ergonomic]
        "optional parameter or header removed"
        "A parameter or header that could be there is no longer described. It may be ignored, refused, or still in use."

    PARAMETER_BECAME_REQUIRED "request-parameter-became-required" Error "response-header-became-required" Info [Wire, GeneratedApi, Ergonomic]
        "parameter or header became required"
        "A parameter or header that could be left out must be there."

    PARAMETER_BECAME_OPTIONAL "request-parameter-became-optional" Info "response-header-became-optional" Error [Wire, GeneratedApi, Ergonomic]
        "parameter or header became optional"
        "A parameter or header that had to be there may be left out."

    SERIALIZATION_CHANGED "request-parameter-serialization-changed" Error "response-header-serialization-changed" Error [Wire]
        "parameter or header is written otherwise"
        "The same value becomes other bytes: `style`, `explode`, `allowReserved` or `allowEmptyValue` is another."

    REQUIRED_BODY_ADDED "request-body-added-required" Error "response-body-added-required" Info [Wire, GeneratedApi, Ergonomic]
        "required body added"
        "A body must be sent where none was described before. In the other direction, it is the body of a call that the service makes to us."

    OPTIONAL_BODY_ADDED "request-body-added-optional" Info "response-body-added-optional" Info [Wire, GeneratedApi, Ergonomic]
        "optional body added"
        "A body may be sent where none was described before. In the other direction, it is the body of a call that the service makes to us."

    BODY_REMOVED "request-body-removed" Error "response-body-removed" Error [Wire, GeneratedApi, Ergonomic]
        "body removed"
        "No body is described any more where one was sent before. In the other direction, it is the body of a call that the service makes to us."

    BODY_BECAME_REQUIRED "request-body-became-required" Error "response-body-became-required" Info [Wire, GeneratedApi, Ergonomic]
        "body became required"
        "A body that could be left out must be there. In the other direction, it is the body of a call that the service makes to us."

    BODY_BECAME_OPTIONAL "request-body-became-optional" Info "response-body-became-optional" Error [Wire, GeneratedApi, Ergonomic]
        "body became optional"
        "A body that had to be there may be left out. In the other direction, it is the body of a call that the service makes to us."

    MEDIA_TYPE_ADDED "request-body-media-type-added" Info "response-media-type-added" Warning [Wire, GeneratedApi]
        "media type added"
        "The body may come in one more form."

    MEDIA_TYPE_REMOVED "request-body-media-type-removed" Error "response-media-type-removed" Error [Wire, GeneratedApi]
        "media type removed"
        "The body no longer comes in a form that was described before."

    MEDIA_TYPE_CHARSET_CHANGED "request-body-media-type-charset-changed" Info "response-media-type-charset-changed" Info [Wire]
        "charset of a media type changed"
        "The media type is the same but for its parameter `charset`. Clients that compare whole header values see a difference."

    ENCODING_CHANGED "request-body-encoding-changed" Error "response-encoding-changed" Error [Wire]
        "encoding of a part changed"
        "`encoding` says something else about how a part of the body becomes bytes."
}
