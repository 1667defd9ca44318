//! Headers and parameters, and the names of all that is placed.

use credence_core::collection::{Field, Placement};
use credence_core::{bundle, cookie, header_name};

use super::Reader;
use crate::named_value::{HeaderValue, OnConflict, QueryValue};

impl Reader {
    pub(super) fn headers(&mut self, headers: &[HeaderValue]) -> Vec<Field> {
        let headers = headers
            .iter()
            .map(|h| (h.name.as_str(), h.value.as_str(), h.on_conflict));
        self.fields("spec.headers", Placement::Header, headers)
    }

    pub(super) fn query(&mut self, query: &[QueryValue]) -> Vec<Field> {
        let query = query
            .iter()
            .map(|q| (q.name.as_str(), q.value.as_str(), q.on_conflict));
        self.fields("spec.query", Placement::Query, query)
    }

    fn fields<'a>(
        &mut self,
        list: &str,
        placement: fn(String) -> Placement,
        values: impl Iterator<Item = (&'a str, &'a str, OnConflict)>,
    ) -> Vec<Field> {
        let mut seen: Vec<Placement> = Vec::new();
        let mut fields = Vec::new();
        for (index, (name, value, on_conflict)) in values.enumerate() {
            let placement = placement(name.to_owned());
            let field = format!("{list}[{index}].name");
            self.name(&field, &placement);
            if seen.iter().any(|other| other.is_same(&placement)) {
                self.problem(
                    field,
                    format!("\"{name}\" is there already: keep one of them"),
                );
            }
            seen.push(placement);
            if let Some(value) = self.one_line(&format!("{list}[{index}].value"), value) {
                fields.push(Field {
                    name: name.to_owned(),
                    value,
                    on_conflict: on_conflict.into(),
                });
            }
        }
        fields
    }

    /// Whether something of this name can be placed.
    pub(super) fn name(&mut self, field: &str, placement: &Placement) {
        match placement {
            Placement::Header(name) => {
                self.keep(field, header_name::check(name));
            }
            Placement::Cookie(name) => {
                self.keep(field, cookie::check_name(name));
            }
            Placement::Query(name) | Placement::Body(name) => {
                if name.is_empty() || name.chars().any(char::is_control) {
                    self.problem(field, format!("must be the name of a {}", placement.noun()));
                }
            }
            Placement::Path => {}
        }
    }
}

impl From<OnConflict> for bundle::OnConflict {
    fn from(on_conflict: OnConflict) -> Self {
        match on_conflict {
            OnConflict::Replace => Self::Replace,
            OnConflict::IfAbsent => Self::IfAbsent,
            OnConflict::Reject => Self::Reject,
        }
    }
}
