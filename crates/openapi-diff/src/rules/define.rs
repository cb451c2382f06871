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
macro_rules! define_pairs {
    ($($name:ident $request:literal $request_severity:ident $response:literal $response_severity:ident [$($effect:ident),*] $title:literal $text:literal)*) => {
        $(
            #[doc = concat!("`", $request, "`, `", $response, "`: ", $title, ".")]
            pub static $name: $crate::rules::family::RulePair = $crate::rules::family::RulePair {
                title: $title,
                text: $text,
                rules: [
                $crate::rule::Rule {
                    id: $request,
                    severity: $crate::rule::Severity::$request_severity,
                    direction: Some($crate::rule::Direction::Request),
                    effects: &[$($crate::rule::Effect::$effect),*],
                    title: concat!("request: ", $title),
                    explanation: concat!($text, " ", $crate::__rule_advice!(Request $request_severity)),
                },
                $crate::rule::Rule {
                    id: $response,
                    severity: $crate::rule::Severity::$response_severity,
                    direction: Some($crate::rule::Direction::Response),
                    effects: &[$($crate::rule::Effect::$effect),*],
                    title: concat!("response: ", $title),
                    explanation: concat!($text, " ", $crate::__rule_advice!(Response $response_severity)),
                },
                ],
            };
        )*

        /// The rules that come twice.
        pub static PAIRS: &[&$crate::rules::family::RulePair] = &[$(&$name),*];
    };
}

/// Rules that come once for each place in an exchange: the end of the id, what the change does to the values that are
/// allowed, and where a client feels it.
#[macro_export]
macro_rules! define_families {
    ($($name:ident $action:literal $kind:ident $felt:ident $title:literal $text:literal)*) => {
        $(
            #[doc = concat!("`…-", $action, "`: ", $title, ".")]
            pub static $name: $crate::rules::family::RuleFamily = $crate::rules::family::RuleFamily::new(
                $action,
                $title,
                $text,
                [
                    $crate::__family_member!(Request "request-body" "request body" $action $kind $felt $title $text),
                    $crate::__family_member!(Request "request-property" "request property" $action $kind $felt $title $text),
                    $crate::__family_member!(Request "request-parameter" "request parameter" $action $kind $felt $title $text),
                    $crate::__family_member!(Response "response-body" "response body" $action $kind $felt $title $text),
                    $crate::__family_member!(Response "response-property" "response property" $action $kind $felt $title $text),
                    $crate::__family_member!(Response "response-header" "response header" $action $kind $felt $title $text),
                ],
            );
        )*

        /// The rules that come once for each place in an exchange.
        pub static FAMILIES: &[&$crate::rules::family::RuleFamily] = &[$(&$name),*];
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __family_member {
    ($direction:ident $prefix:literal $place:literal $action:literal $kind:ident $felt:ident $title:literal $text:literal) => {
        $crate::rule::Rule {
            id: concat!($prefix, "-", $action),
            severity: $crate::__family_severity!($direction $kind),
            direction: $crate::define_rules!(@direction $direction),
            effects: $crate::__family_felt!($direction $felt),
            title: concat!($place, ": ", $title),
            explanation: concat!($text, " ", $crate::__rule_advice!($direction $kind)),
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __family_severity {
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

#[doc(hidden)]
#[macro_export]
macro_rules! __rule_advice {
    (Request Narrower) => { $crate::__rule_advice!(Request Error) };
    (Request Wider) => { $crate::__rule_advice!(Request Info) };
    (Request Behaviour) => { "A request that leaves the value out may have another outcome than before, although it is as good as it was. Check what clients leave out, and what their documentation promises." };
    (Response Narrower) => { $crate::__rule_advice!(Response Info) };
    (Response Wider) => { $crate::__rule_advice!(Response Error) };
    (Response Behaviour) => { "The service sends what it sent; only readers that fill in for a value that is left out see a difference." };
    ($direction:ident Harmless) => { "What was good stays good." };
    (Request Other) => { "Requests that the older document allowed may now be refused, and others are allowed instead. Check that what clients send still fits." };
    (Response Other) => { "Answers may come that the older document ruled out. Check that clients read them, and that test servers send them." };
    (Request Error) => { "Requests that the older document allowed may now be refused. Check that what clients send still fits; where it could be refused now, the change is breaking." };
    (Response Error) => { "Answers may come that the older document ruled out, and programs that relied on it break. Check that clients read them, and that test servers send them." };
    (Request Info) => { "Every request that was good stays good. Clients may offer what is new." };
    (Response Info) => { "Every answer that may come now could be read before. Clients may drop what no longer comes." };
    (Request $any:ident) => { "The documents alone cannot tell whether requests that were good stay good. Look at how the service takes them before you release." };
    (Response $any:ident) => { "The documents alone cannot tell whether programs still read every answer. Look at what the service sends before you release." };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __family_felt {
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
