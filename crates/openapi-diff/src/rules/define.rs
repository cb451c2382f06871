//! How rules are written down.

/// Rules that stand alone, and the list of them.
#[macro_export]
macro_rules! define_rules {
    (@direction None) => {
        None
    };
    (@direction $direction:ident) => {
        Some($crate::rule::Direction::$direction)
    };
    ($($name:ident $id:literal $severity:ident $direction:ident [$($effect:ident),*] $title:literal $text:literal)*) => {
        $(
            #[doc = concat!("`", $id, "`: ", $title, ".")]
            pub static $name: $crate::rule::Rule = $crate::rule::Rule {
                id: $id,
                severity: $crate::rule::Severity::$severity,
                direction: $crate::define_rules!(@direction $direction),
                effects: &[$($crate::rule::Effect::$effect),*],
                title: $title,
                explanation: $text,
            };
        )*

        /// The rules that stand alone.
        pub static RULES: &[&$crate::rule::Rule] = &[$(&$name),*];
    };
}

/// Rules that come twice, once for each direction: id and severity of the request, then those of the response.
macro_rules! duos {
    ($($name:ident $request:literal $request_severity:ident $response:literal $response_severity:ident [$($effect:ident),*] $title:literal $text:literal)*) => {
        $(
            #[doc = concat!("`", $request, "`, `", $response, "`: ", $title, ".")]
            pub static $name: $crate::rules::family::Duo = $crate::rules::family::Duo {
                title: $title,
                text: $text,
                rules: [
                $crate::rule::Rule {
                    id: $request,
                    severity: $crate::rule::Severity::$request_severity,
                    direction: Some($crate::rule::Direction::Request),
                    effects: &[$($crate::rule::Effect::$effect),*],
                    title: concat!("request: ", $title),
                    explanation: concat!($text, " ", advice!(Request $request_severity)),
                },
                $crate::rule::Rule {
                    id: $response,
                    severity: $crate::rule::Severity::$response_severity,
                    direction: Some($crate::rule::Direction::Response),
                    effects: &[$($crate::rule::Effect::$effect),*],
                    title: concat!("response: ", $title),
                    explanation: concat!($text, " ", advice!(Response $response_severity)),
                },
                ],
            };
        )*

        /// The rules that come twice.
        pub static DUOS: &[&$crate::rules::family::Duo] = &[$(&$name),*];
    };
}

/// Rules that come once for each place in an exchange: the end of the id, what the change does to the values that are
/// allowed, and where we feel it.
macro_rules! families {
    ($($name:ident $action:literal $kind:ident $felt:ident $title:literal $text:literal)*) => {
        $(
            #[doc = concat!("`…-", $action, "`: ", $title, ".")]
            pub static $name: $crate::rules::family::Family = $crate::rules::family::Family {
                action: $action,
                title: $title,
                text: $text,
                rules: [
                    member!(Request "request-body" "request body" $action $kind $felt $title $text),
                    member!(Request "request-property" "request property" $action $kind $felt $title $text),
                    member!(Request "request-parameter" "request parameter" $action $kind $felt $title $text),
                    member!(Response "response-body" "response body" $action $kind $felt $title $text),
                    member!(Response "response-property" "response property" $action $kind $felt $title $text),
                    member!(Response "response-header" "response header" $action $kind $felt $title $text),
                ],
            };
        )*

        /// The rules that come once for each place in an exchange.
        pub static FAMILIES: &[&$crate::rules::family::Family] = &[$(&$name),*];
    };
}

macro_rules! member {
    ($direction:ident $prefix:literal $place:literal $action:literal $kind:ident $felt:ident $title:literal $text:literal) => {
        $crate::rule::Rule {
            id: concat!($prefix, "-", $action),
            severity: severity!($direction $kind),
            direction: $crate::define_rules!(@direction $direction),
            effects: felt!($direction $felt),
            title: concat!($place, ": ", $title),
            explanation: concat!($text, " ", advice!($direction $kind)),
        }
    };
}

/// How bad it is when the values that are allowed become fewer, more, or others.
macro_rules! severity {
    (Request Narrower) => {
        $crate::rule::Severity::Error
    };
    (Request Wider) => {
        $crate::rule::Severity::Info
    };
    (Request Behaviour) => {
        $crate::rule::Severity::Warning
    };
    (Response Narrower) => {
        $crate::rule::Severity::Info
    };
    (Response Wider) => {
        $crate::rule::Severity::Error
    };
    (Response Behaviour) => {
        $crate::rule::Severity::Info
    };
    ($direction:ident Other) => {
        $crate::rule::Severity::Error
    };
    ($direction:ident Unclear) => {
        $crate::rule::Severity::Warning
    };
    ($direction:ident Harmless) => {
        $crate::rule::Severity::Info
    };
}

/// What the change means, and what to do about it.
macro_rules! advice {
    (Request Narrower) => { advice!(Request Error) };
    (Request Wider) => { advice!(Request Info) };
    (Request Behaviour) => { "A request that leaves the value out may have another outcome than before, although it is as good as it was. Check what kling-omni leaves out, and what its texts promise." };
    (Response Narrower) => { advice!(Response Info) };
    (Response Wider) => { advice!(Response Error) };
    (Response Behaviour) => { "The service sends what it sent; only readers that fill in for a value that is left out see a difference." };
    ($direction:ident Harmless) => { "What was good stays good." };
    (Request Other) => { "Requests that the older document allowed may now be refused, and others are allowed instead. Check that what kling-omni sends, and lets people send, still fits." };
    (Response Other) => { "Answers may come that the older document ruled out. Check that the generated types and kling-omni read them, and that the sandbox sends them." };
    (Request Error) => { "Requests that the older document allowed may now be refused. Check that what kling-omni sends, and lets people send, still fits; call it a breaking change where people could send what is refused now." };
    (Response Error) => { "Answers may come that the older document ruled out, and programs that relied on it break. Check that the generated types and kling-omni read them, and that the sandbox sends them." };
    (Request Info) => { "Every request that was good stays good. Regenerate; the ergonomic crate may offer what is new." };
    (Response Info) => { "Every answer that may come now could be read before. Regenerate, and see whether what is felt here lets something go, or wants to be offered." };
    (Request $any:ident) => { "The documents alone cannot tell whether requests that were good stay good. Look at how the service takes them before you release." };
    (Response $any:ident) => { "The documents alone cannot tell whether programs still read every answer. Look at what the service sends before you release." };
}

/// Where we feel it.
macro_rules! felt {
    ($direction:ident Shape) => {
        &[
            $crate::rule::Effect::Wire,
            $crate::rule::Effect::GeneratedApi,
            $crate::rule::Effect::Ergonomic,
        ]
    };
    (Request Bound) => {
        &[
            $crate::rule::Effect::Wire,
            $crate::rule::Effect::GeneratedApi,
        ]
    };
    (Response Bound) => {
        &[$crate::rule::Effect::Wire]
    };
    ($direction:ident Docs) => {
        &[$crate::rule::Effect::Docs]
    };
}
