//! Rules about the properties of an object.

define_rules! {
    REQUIRED_ADDED_WITH_DEFAULT "new-required-request-property-with-default" Warning Request [Wire, GeneratedApi, Ergonomic]
        "request: required property with a default added"
        "An object of a request has a new property that is required and has a default. Read strictly, a request without it is refused; services often take the default instead. Try which of both holds, and take the property out of `required` if it may be left out."

    BECAME_REQUIRED_WITH_DEFAULT "request-property-became-required-with-default" Warning Request [Wire, GeneratedApi, Ergonomic]
        "request: property with a default became required"
        "A property of a request that could be left out is required now, and has a default. Read strictly, a request without it is refused; services often take the default instead. Try which of both holds, and take the property out of `required` if it may be left out."
}

define_pairs! {
    REQUIRED_ADDED "new-required-request-property" Error "response-required-property-added" Info [Wire, GeneratedApi, Ergonomic]
        "required property added"
        "An object has a new property that must be there."

    OPTIONAL_ADDED "new-optional-request-property" Info "response-optional-property-added" Info [GeneratedApi, Ergonomic]
        "optional property added"
        "An object has a new property that may be left out. A new field of a request breaks nothing."

    REQUIRED_REMOVED "request-required-property-removed" Warning "response-required-property-removed" Error [Wire, GeneratedApi, Ergonomic]
        "required property removed"
        "A property that had to be there is no longer described."

    OPTIONAL_REMOVED "request-property-removed" Warning "response-optional-property-removed" Warning [Wire, GeneratedApi, Ergonomic]
        "optional property removed"
        "A property that could be there is no longer described. Objects that do not forbid unnamed properties may still have it."

    BECAME_REQUIRED "request-property-became-required" Error "response-property-became-required" Info [Wire, GeneratedApi, Ergonomic]
        "property became required"
        "A property that could be left out must be there. Its generated type loses the `Option`."

    BECAME_OPTIONAL "request-property-became-optional" Info "response-property-became-optional" Error [Wire, GeneratedApi, Ergonomic]
        "property became optional"
        "A property that had to be there may be left out. Its generated type gets an `Option`."
}
