//! What is exchanged for a token.

use super::super::{Unresolved, message};
use super::{Asking, Field, SUBJECT_TOKEN, known, late_field};
use crate::Secret;
use crate::collection::{AccountSettings, Flow, Scope, Subject};
use crate::template::LateVariable;
use crate::token::AccountToken;

/// What is exchanged for a token.
#[derive(Default)]
pub(super) struct Granted {
    /// Who or what gives it, as far as one can be told from another.
    pub(super) by: Option<Secret>,
    /// The ServiceAccount's token that is asked for at that moment.
    pub(super) account: Option<AccountToken>,
    pub(super) fields: Vec<Field>,
    /// Which of them only proves it.
    proof: Option<&'static str>,
}

impl Granted {
    /// The fields without the proof.
    pub(super) fn unproved(&self) -> Vec<Field> {
        let fields = self.fields.iter();
        fields
            .filter(|(name, _)| self.proof != Some(name.as_str()))
            .cloned()
            .collect()
    }
}

impl Asking<'_, '_> {
    /// What is exchanged for the token.
    pub(super) fn granted(&self) -> Result<Granted, Unresolved> {
        Ok(match &self.method.flow {
            Flow::ClientCredentials | Flow::Custom { .. } => Granted::default(),
            Flow::TokenExchange {
                subject,
                subject_token_type,
            } => self.subject(subject, subject_token_type)?,
            Flow::JwtBearer { .. } => Granted {
                fields: vec![late_field("assertion", LateVariable::Jwt)],
                ..Granted::default()
            },
            Flow::Password { username, password } => {
                let username = self.fixed("username", username)?;
                let password = self.fixed("password", password)?;
                Granted {
                    fields: vec![known("username", &username), known("password", &password)],
                    by: Some(username),
                    proof: Some("password"),
                    ..Granted::default()
                }
            }
            Flow::RefreshToken { refresh_token } => Granted {
                by: Some(self.fixed("refreshToken", refresh_token)?),
                fields: vec![late_field("refresh_token", LateVariable::RefreshToken)],
                ..Granted::default()
            },
        })
    }

    /// RFC 8693 §2.1.
    fn subject(&self, subject: &Subject, kind: &str) -> Result<Granted, Unresolved> {
        let kind = known("subject_token_type", &Secret::new(kind));
        Ok(match subject {
            Subject::Held(token) => {
                let token = self.fixed(SUBJECT_TOKEN, token)?;
                Granted {
                    fields: vec![known("subject_token", &token), kind],
                    by: Some(token),
                    ..Granted::default()
                }
            }
            Subject::ServiceAccount(settings) => {
                let token = late_field("subject_token", LateVariable::SubjectToken);
                Granted {
                    account: Some(self.account_token(settings)?),
                    fields: vec![token, kind],
                    ..Granted::default()
                }
            }
        })
    }

    fn account_token(&self, settings: &AccountSettings) -> Result<AccountToken, Unresolved> {
        let namespace = self.case.material.accounts_in.as_ref();
        // One of a namespace is of that namespace's environment.
        if matches!(self.case.collection.scope, Scope::Cluster { .. }) && self.case.has_no_block() {
            return Err(self.case.account_of_other_environment());
        }
        let AccountSettings {
            name,
            audience,
            lifetime,
        } = settings.clone();
        Ok(AccountToken {
            namespace: namespace.ok_or_else(message::no_cluster)?.clone(),
            name,
            audience,
            lifetime,
        })
    }
}
