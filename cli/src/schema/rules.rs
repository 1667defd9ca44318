//! The CEL rules of a schema (`x-kubernetes-validations`).

use kube::core::cel::Validator;
use serde_json::Value;

use super::{At, Violation};

/// Asks every rule about an object that has its defaults.
pub(super) fn check(schema: &Value, object: &Value) -> Vec<Violation> {
    let Err(errors) = Validator::new().validate(schema, object, None) else {
        return Vec::new();
    };
    errors
        .into_vec()
        .into_iter()
        .map(|error| Violation {
            field: error.field_path.trim_start_matches('.').to_owned(),
            at: At::Value,
            message: error.message,
        })
        .collect()
}
