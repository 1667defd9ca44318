//! The broker: obtains tokens, keeps them, and renews them in time. And it asks
//! APIs whether they accept a credential.
//!
//! What is done when, what is asked, and what an answer means is decided in
//! `credence_core::token`, which knows neither clock nor network.

pub mod account_tokens;
pub mod clock;
mod connection;
mod dice;
pub mod exchange;
mod head;
pub mod issuer;
pub mod keeper;
pub mod outcome;
pub mod store;
pub mod token_key;
pub mod trial;

pub use account_tokens::{AccountTokens, NoCluster, NotIssued};
pub use clock::Clock;
/// How this process leaves its network, and what of that is private.
pub use credence_net::{Egress, InvalidEgress, Network, hardening};
pub use exchange::{Exchange, ExchangeError, PrivateNetworks};
pub use issuer::{Asking, Issuer, Unanswered};
pub use keeper::{Keeper, Tools};
pub use outcome::{Outcome, State};
pub use store::{StoreError, Stored, TokenStore, Version};
pub use token_key::TokenKey;
pub use trial::{NoAnswer, Trial};
