//! Rules about the keywords of schemas.

define_rules! {
    ENUM_ORDER_CHANGED "enum-value-order-changed" Info None [GeneratedApi]
        "order of the enum values changed"
        "The same values stand in another order. Nothing changes on the wire; the generated enum lists its variants in the order of the document, so its `ALL` and the comparison of its variants change."

    ENUM_VARIANT_RENAMED "enum-variant-renamed" Warning None [GeneratedApi, Ergonomic]
        "Rust name of an enum value changed"
        "`x-enum-varnames` gives a value another Rust name. Nothing changes on the wire, but code that names the variant no longer compiles."

    ENUM_NAMES_MISPAIRED "enum-varnames-mispaired" Error None [GeneratedApi]
        "names and values of an enum do not pair up"
        "`x-enum-varnames` must have one name for each value, in the order of `enum`. Which value a name belongs to cannot be known otherwise. Add the missing names to `x-enum-varnames`, or take out those that are too many."

    COMPOSITION_ORDER_CHANGED "composition-order-changed" Info None [GeneratedApi]
        "order of the alternatives changed"
        "The same schemas stand in another order in `oneOf`, `anyOf` or `allOf`. The same values are allowed; generated types that try one after the other change."
}

define_families! {
    TYPE_CHANGED "type-changed" Other Shape
        "type changed"
        "The value is of another type than before, neither a part of the older types nor more than them."

    TYPE_GENERALIZED "type-generalized" Wider Shape
        "more types allowed"
        "The value may be of types that the older document did not allow."

    TYPE_SPECIALIZED "type-specialized" Narrower Shape
        "fewer types allowed"
        "The value may no longer be of every type that the older document allowed."

    FORMAT_CHANGED "format-changed" Unclear Shape
        "format changed"
        "The format is another, is new or is gone. A format is a hint that services enforce or not, and it can change the generated type."

    BECAME_NULLABLE "became-nullable" Wider Shape
        "may be null"
        "The value may be null, and could not before."

    BECAME_NOT_NULLABLE "became-not-nullable" Narrower Shape
        "may no longer be null"
        "The value could be null before, and may not any more."

    BECAME_ENUM "became-enum" Narrower Shape
        "restricted to a list of values"
        "Only listed values are allowed, where any was before."

    BECAME_NOT_ENUM "became-not-enum" Wider Shape
        "no longer restricted to a list of values"
        "Any value is allowed, where only listed ones were before."

    ENUM_VALUE_ADDED "enum-value-added" Wider Shape
        "enum value added"
        "A closed list of values has a new one."

    ENUM_VALUE_REMOVED "enum-value-removed" Narrower Shape
        "enum value removed"
        "A closed list of values lost one."

    OPEN_VALUE_ADDED "x-open-enum-value-added" Harmless Shape
        "value added to an open enum"
        "A list that never claimed to be complete (`x-open-enum`) has a new value, which becomes a variant of its own."

    OPEN_VALUE_REMOVED "x-open-enum-value-removed" Harmless Shape
        "value removed from an open enum"
        "A list that never claimed to be complete (`x-open-enum`) lost a value; its variant disappears from the generated enum."

    ENUM_OPENED "x-open-enum-set" Wider Shape
        "enum opened"
        "The list of values is no longer complete: with `x-open-enum`, others may come, and the generated enum gets a variant for them."

    ENUM_CLOSED "x-open-enum-unset" Narrower Shape
        "enum closed"
        "The list of values is complete now: `x-open-enum` is gone, and the generated enum loses its variant for other values."

    DEFAULT_ADDED "default-value-added" Behaviour Bound
        "default added"
        "The documents now say what counts when the value is left out."

    DEFAULT_CHANGED "default-value-changed" Behaviour Bound
        "default changed"
        "Something else counts when the value is left out."

    DEFAULT_REMOVED "default-value-removed" Behaviour Bound
        "default removed"
        "The documents no longer say what counts when the value is left out."

    MAX_SET "max-set" Narrower Bound
        "greatest value set"
        "`maximum` is there, where nothing bounded the value on that side before."

    MAX_UNSET "max-unset" Wider Bound
        "greatest value taken away"
        "`maximum` is gone, and nothing bounds the value on that side."

    MAX_INCREASED "max-increased" Wider Bound
        "greatest value increased"
        "`maximum` went up. An end that stopped belonging to the range, or began to, counts as well."

    MAX_DECREASED "max-decreased" Narrower Bound
        "greatest value decreased"
        "`maximum` went down. An end that stopped belonging to the range, or began to, counts as well."

    MIN_SET "min-set" Narrower Bound
        "least value set"
        "`minimum` is there, where nothing bounded the value on that side before."

    MIN_UNSET "min-unset" Wider Bound
        "least value taken away"
        "`minimum` is gone, and nothing bounds the value on that side."

    MIN_INCREASED "min-increased" Narrower Bound
        "least value increased"
        "`minimum` went up. An end that stopped belonging to the range, or began to, counts as well."

    MIN_DECREASED "min-decreased" Wider Bound
        "least value decreased"
        "`minimum` went down. An end that stopped belonging to the range, or began to, counts as well."

    MAX_LENGTH_SET "max-length-set" Narrower Bound
        "greatest length set"
        "`maxLength` is there, where nothing bounded the value on that side before."

    MAX_LENGTH_UNSET "max-length-unset" Wider Bound
        "greatest length taken away"
        "`maxLength` is gone, and nothing bounds the value on that side."

    MAX_LENGTH_INCREASED "max-length-increased" Wider Bound
        "greatest length increased"
        "`maxLength` went up."

    MAX_LENGTH_DECREASED "max-length-decreased" Narrower Bound
        "greatest length decreased"
        "`maxLength` went down."

    MIN_LENGTH_SET "min-length-set" Narrower Bound
        "least length set"
        "`minLength` is there, where nothing bounded the value on that side before."

    MIN_LENGTH_UNSET "min-length-unset" Wider Bound
        "least length taken away"
        "`minLength` is gone, and nothing bounds the value on that side."

    MIN_LENGTH_INCREASED "min-length-increased" Narrower Bound
        "least length increased"
        "`minLength` went up."

    MIN_LENGTH_DECREASED "min-length-decreased" Wider Bound
        "least length decreased"
        "`minLength` went down."

    MAX_ITEMS_SET "max-items-set" Narrower Bound
        "greatest number of items set"
        "`maxItems` is there, where nothing bounded the value on that side before."

    MAX_ITEMS_UNSET "max-items-unset" Wider Bound
        "greatest number of items taken away"
        "`maxItems` is gone, and nothing bounds the value on that side."

    MAX_ITEMS_INCREASED "max-items-increased" Wider Bound
        "greatest number of items increased"
        "`maxItems` went up."

    MAX_ITEMS_DECREASED "max-items-decreased" Narrower Bound
        "greatest number of items decreased"
        "`maxItems` went down."

    MIN_ITEMS_SET "min-items-set" Narrower Bound
        "least number of items set"
        "`minItems` is there, where nothing bounded the value on that side before."

    MIN_ITEMS_UNSET "min-items-unset" Wider Bound
        "least number of items taken away"
        "`minItems` is gone, and nothing bounds the value on that side."

    MIN_ITEMS_INCREASED "min-items-increased" Narrower Bound
        "least number of items increased"
        "`minItems` went up."

    MIN_ITEMS_DECREASED "min-items-decreased" Wider Bound
        "least number of items decreased"
        "`minItems` went down."

    MAX_PROPERTIES_SET "max-properties-set" Narrower Bound
        "greatest number of properties set"
        "`maxProperties` is there, where nothing bounded the value on that side before."

    MAX_PROPERTIES_UNSET "max-properties-unset" Wider Bound
        "greatest number of properties taken away"
        "`maxProperties` is gone, and nothing bounds the value on that side."

    MAX_PROPERTIES_INCREASED "max-properties-increased" Wider Bound
        "greatest number of properties increased"
        "`maxProperties` went up."

    MAX_PROPERTIES_DECREASED "max-properties-decreased" Narrower Bound
        "greatest number of properties decreased"
        "`maxProperties` went down."

    MIN_PROPERTIES_SET "min-properties-set" Narrower Bound
        "least number of properties set"
        "`minProperties` is there, where nothing bounded the value on that side before."

    MIN_PROPERTIES_UNSET "min-properties-unset" Wider Bound
        "least number of properties taken away"
        "`minProperties` is gone, and nothing bounds the value on that side."

    MIN_PROPERTIES_INCREASED "min-properties-increased" Narrower Bound
        "least number of properties increased"
        "`minProperties` went up."

    MIN_PROPERTIES_DECREASED "min-properties-decreased" Wider Bound
        "least number of properties decreased"
        "`minProperties` went down."

    PATTERN_ADDED "pattern-added" Narrower Bound
        "pattern added"
        "The text has to match a pattern, and did not have to before."

    PATTERN_REMOVED "pattern-removed" Wider Bound
        "pattern removed"
        "The text no longer has to match a pattern."

    PATTERN_CHANGED "pattern-changed" Unclear Bound
        "pattern changed"
        "The text has to match another pattern. Which of the two allows more, no rule can tell."

    MULTIPLE_OF_SET "multiple-of-set" Narrower Bound
        "step set"
        "The number has to be a multiple of `multipleOf`, and did not have to before."

    MULTIPLE_OF_UNSET "multiple-of-unset" Wider Bound
        "step taken away"
        "The number no longer has to be a multiple of `multipleOf`."

    MULTIPLE_OF_CHANGED "multiple-of-changed" Other Bound
        "step changed"
        "The number has to be a multiple of another `multipleOf`."

    UNIQUE_ITEMS_SET "unique-items-set" Narrower Bound
        "items must differ"
        "No two items of the list may be the same, and could be before."

    UNIQUE_ITEMS_UNSET "unique-items-unset" Wider Bound
        "items may repeat"
        "Items of the list may be the same, and could not be before."

    BECAME_READ_ONLY "became-read-only" Unclear Shape
        "read only"
        "Only the service may send the value (`readOnly`)."

    BECAME_NOT_READ_ONLY "became-not-read-only" Unclear Shape
        "no longer read only"
        "Both sides may send the value; `readOnly` is gone."

    BECAME_WRITE_ONLY "became-write-only" Unclear Shape
        "write only"
        "Only we may send the value (`writeOnly`)."

    BECAME_NOT_WRITE_ONLY "became-not-write-only" Unclear Shape
        "no longer write only"
        "Both sides may send the value; `writeOnly` is gone."

    DEPRECATED "deprecated" Harmless Docs
        "deprecated"
        "The document advises against it and keeps it for now. Say it in the texts, and look for what takes its place."

    REACTIVATED "reactivated" Harmless Docs
        "no longer deprecated"
        "The document no longer advises against it. Take the advice out of our texts."

    ADDITIONAL_NARROWED "additional-properties-narrowed" Narrower Shape
        "fewer unnamed properties allowed"
        "`additionalProperties` forbids or restricts what it allowed before."

    ADDITIONAL_WIDENED "additional-properties-widened" Wider Shape
        "more unnamed properties allowed"
        "`additionalProperties` allows what it forbade or restricted before."

    SCHEMA_ADDED "schema-added" Narrower Shape
        "schema added"
        "A schema says what the value or the items of the list look like, where none did before."

    SCHEMA_REMOVED "schema-removed" Wider Shape
        "schema removed"
        "No schema says any more what the value or the items of the list look like."

    ONE_OF_ADDED "one-of-added" Wider Shape
        "alternative added"
        "`oneOf` offers one alternative more."

    ONE_OF_REMOVED "one-of-removed" Narrower Shape
        "alternative removed"
        "`oneOf` lost one of its alternatives."

    ANY_OF_ADDED "any-of-added" Wider Shape
        "alternative added"
        "`anyOf` offers one alternative more."

    ANY_OF_REMOVED "any-of-removed" Narrower Shape
        "alternative removed"
        "`anyOf` lost one of its alternatives."

    ALL_OF_ADDED "all-of-added" Narrower Shape
        "further schema to satisfy"
        "`allOf` demands one schema more."

    ALL_OF_REMOVED "all-of-removed" Wider Shape
        "one schema less to satisfy"
        "`allOf` demands one schema less."

    COMPOSITION_ADDED "composition-added" Narrower Shape
        "choice of schemas added"
        "`oneOf` or `anyOf` is there, where no choice of schemas bound the value before."

    COMPOSITION_REMOVED "composition-removed" Wider Shape
        "choice of schemas removed"
        "`oneOf` or `anyOf` is gone, and no choice of schemas binds the value."

    MAX_CONTAINS_SET "max-contains-set" Narrower Bound
        "greatest number of matching items set"
        "`maxContains` is there, where any number of items could match `contains` before."

    MAX_CONTAINS_UNSET "max-contains-unset" Wider Bound
        "greatest number of matching items removed"
        "`maxContains` is gone, and any number of items can match `contains`."

    MAX_CONTAINS_INCREASED "max-contains-increased" Wider Bound
        "greatest number of matching items increased"
        "`maxContains` went up."

    MAX_CONTAINS_DECREASED "max-contains-decreased" Narrower Bound
        "greatest number of matching items decreased"
        "`maxContains` went down."

    MIN_CONTAINS_INCREASED "min-contains-increased" Narrower Bound
        "least number of matching items increased"
        "`minContains` went up. It is 1 where it is left out."

    MIN_CONTAINS_DECREASED "min-contains-decreased" Wider Bound
        "least number of matching items decreased"
        "`minContains` went down. It is 1 where it is left out."

    CONTAINS_CHANGED "contains-changed" Other Shape
        "schema of the matching items changed"
        "Other items match `contains`, and `maxContains` limits how many of them may."

    PREFIX_ITEM_CHANGED "prefix-item-changed" Other Shape
        "schema of an item at a fixed position added or removed"
        "An item at a fixed position has to satisfy a schema of `prefixItems` instead of that of `items`, or the other way round."

    PATTERN_PROPERTY_CHANGED "pattern-property-changed" Other Shape
        "pattern of property names added or removed"
        "`patternProperties` has another pattern. It restricts the properties whose names match, and other keywords that restrict further properties no longer apply to them."

    DEPENDENT_REQUIRED_ADDED "dependent-required-added" Narrower Shape
        "property required by another one"
        "`dependentRequired`: where one property is there, another has to be, too."

    DEPENDENT_REQUIRED_REMOVED "dependent-required-removed" Wider Shape
        "property no longer required by another one"
        "`dependentRequired`: a property no longer requires another one."

    UNEVALUATED_NARROWED "unevaluated-narrowed" Narrower Shape
        "fewer unevaluated values allowed"
        "`unevaluatedProperties` or `unevaluatedItems` forbids or restricts what it allowed before."

    UNEVALUATED_WIDENED "unevaluated-widened" Wider Shape
        "more unevaluated values allowed"
        "`unevaluatedProperties` or `unevaluatedItems` allows what it forbade or restricted before."

    CONDITION_ADDED "condition-added" Narrower Shape
        "condition added"
        "`if`, `then` and `else` restrict values that nothing restricted in this way before."

    CONDITION_REMOVED "condition-removed" Wider Shape
        "condition removed"
        "`if`, `then` and `else` are gone."

    CONDITION_CHANGED "condition-changed" Other Shape
        "condition changed"
        "`if` matches other values, and `then` and `else` restrict others."

    NOT_ADDED "not-added" Narrower Shape
        "schema excluded"
        "`not` excludes values that were allowed before."

    NOT_REMOVED "not-removed" Wider Shape
        "schema no longer excluded"
        "`not` is gone, and excludes nothing."

    NOT_CHANGED "not-changed" Other Shape
        "excluded schema changed"
        "`not` excludes other values than before."

    DISCRIMINATOR_CHANGED "discriminator-changed" Other Shape
        "discriminator changed"
        "What tells the alternatives apart is another property or another mapping, is new or is gone."
}
