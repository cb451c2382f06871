use crate::request::fields::Fields;
use crate::request::validate;
use crate::route::CreateRoute;
use crate::validation::{Finding, ValidationError};

/// Fields that have passed validation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checked<F> {
    pub(crate) fields: F,
    pub(crate) warnings: Vec<Finding>,
}

impl<F: Fields> Checked<F> {
    /// Holds fields against every rule; with `deny_warnings`, against likely mistakes, too.
    pub(super) fn new(fields: F, deny_warnings: bool) -> Result<Self, ValidationError> {
        let findings = validate::at_build(&fields);
        if findings.iter().any(|one| deny_warnings || one.is_error()) {
            return Err(ValidationError::new(findings));
        }
        Ok(Self {
            fields,
            warnings: findings,
        })
    }

    /// Holds the fields against the rules of one route of the service.
    pub(super) fn check_for(&self, route: CreateRoute) -> Result<(), ValidationError> {
        let findings = validate::against(&self.fields, route);
        if findings.iter().any(Finding::is_error) {
            return Err(ValidationError::new(findings));
        }
        Ok(())
    }
}
