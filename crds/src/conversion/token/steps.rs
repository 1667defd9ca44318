//! Requests besides the one for a token.

use credence_core::collection::{Client, Flow, RefreshSettings, StepSettings};
use credence_core::template::LateVariable;

use super::{Part, Reader, Subject};
use crate::token::{TokenRefresh, TokenStep};

impl Reader {
    pub(super) fn steps(&mut self, subject: &Subject<'_>) -> Option<Vec<StepSettings>> {
        let steps = subject.token.steps.iter().enumerate();
        let read = steps.map(|(at, step)| self.step(subject, at, step));
        // Every one of them is looked at.
        let read: Vec<_> = read.collect();
        read.into_iter().collect()
    }

    fn step(&mut self, of: &Subject<'_>, at: usize, step: &TokenStep) -> Option<StepSettings> {
        let token = step.as_token();
        let subject = Subject {
            flow: of.flow,
            part: Part::Step(at),
            token: &token,
            steps: of.steps.get(..at).unwrap_or_default(),
        };
        if subject.steps.iter().any(|other| other.name == step.name) {
            self.problem(
                subject.field("name"),
                format!("\"{}\" is there already: keep one of them", step.name),
            );
        }
        let request = self.request(&subject, None);
        let response = self.response(&subject);
        Some(StepSettings {
            name: step.name.clone(),
            request: request?,
            capture: response.capture,
            success: response.success,
        })
    }

    pub(super) fn refresh(
        &mut self,
        of: &Subject<'_>,
        refresh: &TokenRefresh,
        client: Option<&Client>,
    ) -> Option<RefreshSettings> {
        let token = refresh.over(of.token);
        let subject = Subject {
            part: Part::Refresh,
            token: &token,
            ..*of
        };
        let at = format!("spec.auth.{}.token.refresh", of.flow.as_str());
        if matches!(of.flow, Flow::RefreshToken { .. }) {
            self.problem(
                &at,
                "is what token itself is here: write it there and remove this",
            );
        }
        let said = serde_json::to_string(&token).unwrap_or_default();
        let by_hand = subject.is_custom() || token.body.is_some();
        if by_hand && !said.contains(&format!("${{{}", LateVariable::RefreshToken)) {
            self.problem(
                &at,
                "does not send the refresh token: write ${refreshToken} into params or body",
            );
        }
        let response = refresh.response.as_ref().map(|_| self.response(&subject));
        let request = self.request(&subject, client)?;
        Some(RefreshSettings { request, response })
    }

    /// Whether a request may refer to what there is before it.
    pub(super) fn earlier(&mut self, subject: &Subject<'_>, field: &str, variable: &LateVariable) {
        match variable {
            LateVariable::RefreshToken if subject.part != Part::Refresh => self.problem(
                field,
                "must not refer to ${refreshToken}: it can be used in token.refresh",
            ),
            LateVariable::Step { step, field: name } => {
                let found = subject.steps.iter().find(|other| *other.name == **step);
                let captures = |found: &TokenStep| {
                    let mut captures = found.capture.iter();
                    captures.any(|capture| *capture.name == **name)
                };
                match found.map(captures) {
                    Some(true) => {}
                    Some(false) => self.problem(
                        field,
                        format!(
                            "must not refer to ${{{variable}}}, which step \"{step}\" does not give: add {{name: {name}, path: …}} to its capture"
                        ),
                    ),
                    None => self.problem(
                        field,
                        format!(
                            "must not refer to ${{{variable}}}: no step before this request has that name"
                        ),
                    ),
                }
            }
            LateVariable::RefreshToken
            | LateVariable::Call(_)
            | LateVariable::Jwt
            | LateVariable::ClientAssertion
            | LateVariable::SubjectToken => {}
        }
    }
}
