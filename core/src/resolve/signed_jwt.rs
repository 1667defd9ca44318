//! Tokens that are signed here.

use super::jwt::{Block, Usual};
use super::{Case, Unresolved};
use crate::bundle::Route;
use crate::collection::SignedJwt;
use crate::template::Scope;
use crate::token::fingerprint::Fingerprint;
use crate::token::{FieldPath, Order, Renewal, ResponseShape, Signers, Terms};

impl Case<'_> {
    /// The order for a JWT that is itself the token: nobody is asked for it.
    pub(super) fn signed_jwt(
        &self,
        signed: &SignedJwt,
        scope: Scope<'_>,
        route: &Route,
    ) -> Result<Order, Unresolved> {
        let block = Block::of_token(signed);
        let key = self.signing_key_of(&block, scope)?;
        let fingerprint = key.fingerprint();
        let scope = Scope {
            key_fingerprint: fingerprint.as_deref(),
            ..scope
        };
        let signers = Signers {
            jwt: Some(self.signer(&block, key, scope, Usual::default(), false)?),
            client_assertion: None,
        };
        let mut lineage = Fingerprint::new();
        lineage.text(METHOD);
        let mut order = Fingerprint::new();
        order.text(METHOD);
        signers.add_to(&mut order);
        let mut identity = Fingerprint::new();
        identity.text(METHOD);
        signers.add_claims_to(&mut identity);
        identity.text(&route.base_url.to_string());
        Ok(Order {
            method: METHOD,
            terms: Terms {
                shape: ResponseShape {
                    access_token: FieldPath::whole(),
                    ..ResponseShape::default()
                },
                base_url: Some(route.base_url.clone()),
                ..Terms::new(
                    order.finish(),
                    identity.finish(),
                    lineage.finish(),
                    Renewal::Anew,
                )
            },
            steps: Vec::new(),
            request: None,
            refresh: None,
            signers,
            subject: None,
            trust: None,
            client_certificate: None,
            allow_private_networks: false,
            allow_insecure_http: false,
        })
    }
}

const METHOD: &str = "signedJwt";
