//! The form in which a record is kept: JSON, with bytes in base64.
//!
//! What a program does not know it leaves out, so that replicas of two versions
//! can work on one store. Only what cannot do without is required.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Held, Intent, Record, RefreshToken, Unread};
use crate::Secret;
use crate::token::error_code::ErrorCode;
use crate::token::raw_answer::{RawAnswer, RoundTrip};
use crate::token::refused::Forced;
use crate::token::setback::{Next, Setback, SetbackReason};
use crate::token::terms::Digest;

/// What a store held is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored state of the token cannot be read")]
pub struct Unreadable;

impl Record {
    /// As it is stored. Holds every secret of the record.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // Large enough at once: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.size()));
        // A map with odd keys is not in there, and the writer does not fail.
        let written = serde_json::to_writer(&mut *bytes, &StoredRecord::from(self));
        debug_assert!(written.is_ok());
        bytes
    }

    /// About as many bytes as it takes to write it, rather too many.
    fn size(&self) -> usize {
        let held = self.held.as_ref();
        let held = held.map_or(0, |held| held.length() + 8 * held.captured.len());
        let refresh_token = self.refresh_token.as_ref();
        let refresh_token = refresh_token.map_or(0, |token| token.value.expose().len());
        let unread = self.unread.as_ref().map_or(0, |unread| {
            let headers = unread.raw.headers.iter();
            let headers = headers.map(|(name, value)| name.len() + value.len() + 16);
            unread.raw.body.len() + headers.sum::<usize>()
        });
        // Base64 and escapes make it longer; the rest is names and times.
        4096 + 2 * (held + refresh_token + unread)
    }

    /// Reads what [`Record::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        let stored: StoredRecord = serde_json::from_slice(bytes).map_err(|_| Unreadable)?;
        stored.record().ok_or(Unreadable)
    }
}

type Text = Zeroizing<String>;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredRecord {
    generation: u64,
    #[serde(default)]
    held: Option<StoredHeld>,
    #[serde(default)]
    refresh_token: Option<StoredRefreshToken>,
    #[serde(default)]
    intent: Option<StoredIntent>,
    #[serde(default)]
    unread: Option<StoredUnread>,
    #[serde(default)]
    setback: Option<StoredSetback>,
    #[serde(default)]
    refused: Option<u64>,
    #[serde(default)]
    forced_at: Option<Timestamp>,
    #[serde(default)]
    forced_times: u32,
    #[serde(default)]
    clock_skew_seconds: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredHeld {
    order: String,
    access_token: Text,
    obtained_at: Timestamp,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    captured: BTreeMap<String, Text>,
    #[serde(default)]
    base_url: Option<String>,
    #[serde(default)]
    missing_scopes: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredRefreshToken {
    value: Text,
    lineage: String,
}

#[derive(Serialize, Deserialize)]
struct StoredIntent {
    holder: String,
    generation: u64,
    token: String,
    since: Timestamp,
    at: Timestamp,
    doubts: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredUnread {
    order: String,
    lineage: String,
    status: u16,
    headers: Vec<(String, Text)>,
    body: Text,
    sent: Timestamp,
    received: Timestamp,
    refreshed: bool,
    tried: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredSetback {
    order: String,
    failures: u32,
    at: Timestamp,
    next: StoredNext,
    reason: String,
    #[serde(default)]
    code: Option<String>,
    message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum StoredNext {
    At(Timestamp),
    Change,
    Person,
}

fn encoded(bytes: &[u8]) -> Text {
    Zeroizing::new(STANDARD.encode(bytes))
}

fn decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    STANDARD.decode(text).ok().map(Zeroizing::new)
}

fn digest(text: &str) -> Option<Digest> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

fn text(secret: &Secret) -> Text {
    Zeroizing::new(secret.expose().to_owned())
}

impl From<&Record> for StoredRecord {
    fn from(record: &Record) -> Self {
        Self {
            generation: record.generation,
            held: record.held.as_ref().map(StoredHeld::from),
            refresh_token: record
                .refresh_token
                .as_ref()
                .map(|token| StoredRefreshToken {
                    value: text(&token.value),
                    lineage: STANDARD.encode(token.lineage),
                }),
            intent: record.intent.as_ref().map(StoredIntent::from),
            unread: record.unread.as_ref().map(StoredUnread::from),
            setback: record.setback.as_ref().map(StoredSetback::from),
            refused: record.refused,
            forced_at: record.forced.map(|forced| forced.at),
            forced_times: record.forced.map_or(0, |forced| forced.times),
            clock_skew_seconds: record.clock_skew.as_secs(),
        }
    }
}

impl From<&Held> for StoredHeld {
    fn from(held: &Held) -> Self {
        Self {
            order: STANDARD.encode(held.order),
            access_token: text(&held.access_token),
            obtained_at: held.obtained_at,
            expires_at: held.expires_at,
            captured: held
                .captured
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            base_url: held.base_url.clone(),
            missing_scopes: held.missing_scopes.clone(),
        }
    }
}

impl From<&Intent> for StoredIntent {
    fn from(intent: &Intent) -> Self {
        Self {
            holder: intent.holder.clone(),
            generation: intent.generation,
            token: STANDARD.encode(intent.token),
            since: intent.since,
            at: intent.at,
            doubts: intent.doubts,
        }
    }
}

impl From<&Unread> for StoredUnread {
    fn from(unread: &Unread) -> Self {
        Self {
            order: STANDARD.encode(unread.order),
            lineage: STANDARD.encode(unread.lineage),
            status: unread.raw.status,
            headers: unread
                .raw
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), encoded(value)))
                .collect(),
            body: encoded(&unread.raw.body),
            sent: unread.round_trip.sent,
            received: unread.round_trip.received,
            refreshed: unread.refreshed,
            tried: unread.tried,
        }
    }
}

impl From<&Setback> for StoredSetback {
    fn from(setback: &Setback) -> Self {
        Self {
            order: STANDARD.encode(setback.order),
            failures: setback.failures,
            at: setback.at,
            next: match setback.next {
                Next::At(time) => StoredNext::At(time),
                Next::Change => StoredNext::Change,
                Next::Person => StoredNext::Person,
            },
            reason: setback.reason.as_str().to_owned(),
            code: setback.code.map(|code| code.as_str().to_owned()),
            message: setback.message.clone(),
        }
    }
}

impl StoredRecord {
    fn record(self) -> Option<Record> {
        let held = match self.held {
            Some(held) => Some(held.held()?),
            None => None,
        };
        let refresh_token = match self.refresh_token {
            Some(StoredRefreshToken { value, lineage }) => Some(RefreshToken {
                value: value.into(),
                lineage: digest(&lineage)?,
            }),
            None => None,
        };
        let intent = match self.intent {
            Some(intent) => Some(intent.intent()?),
            None => None,
        };
        let unread = match self.unread {
            Some(unread) => Some(unread.unread()?),
            None => None,
        };
        Some(Record {
            generation: self.generation,
            held,
            refresh_token,
            intent,
            unread,
            // What a newer program has to say about a failure is not worth a
            // refresh token.
            setback: self.setback.and_then(StoredSetback::setback),
            refused: self.refused,
            forced: self.forced_at.map(|at| Forced {
                at,
                times: self.forced_times.max(1),
            }),
            clock_skew: SignedDuration::from_secs(self.clock_skew_seconds),
        })
    }
}

impl StoredHeld {
    fn held(self) -> Option<Held> {
        Some(Held {
            order: digest(&self.order)?,
            access_token: self.access_token.into(),
            obtained_at: self.obtained_at,
            expires_at: self.expires_at,
            captured: self
                .captured
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect(),
            base_url: self.base_url,
            missing_scopes: self.missing_scopes,
        })
    }
}

impl StoredIntent {
    fn intent(self) -> Option<Intent> {
        Some(Intent {
            holder: self.holder,
            generation: self.generation,
            token: digest(&self.token)?,
            since: self.since,
            at: self.at,
            doubts: self.doubts,
        })
    }
}

impl StoredUnread {
    fn unread(self) -> Option<Unread> {
        let headers = self
            .headers
            .into_iter()
            .map(|(name, value)| Some((name, decoded(&value)?)))
            .collect::<Option<_>>()?;
        Some(Unread {
            order: digest(&self.order)?,
            lineage: digest(&self.lineage)?,
            raw: RawAnswer {
                status: self.status,
                headers,
                body: decoded(&self.body)?,
            },
            round_trip: RoundTrip {
                sent: self.sent,
                received: self.received,
            },
            refreshed: self.refreshed,
            tried: self.tried,
        })
    }
}

impl StoredSetback {
    fn setback(self) -> Option<Setback> {
        Some(Setback {
            order: digest(&self.order)?,
            failures: self.failures,
            at: self.at,
            next: match self.next {
                StoredNext::At(time) => Next::At(time),
                StoredNext::Change => Next::Change,
                StoredNext::Person => Next::Person,
            },
            reason: SetbackReason::ALL
                .into_iter()
                .find(|reason| reason.as_str() == self.reason)?,
            code: self.code.map(|code| ErrorCode::of_name(&code)),
            message: self.message,
        })
    }
}

#[cfg(test)]
mod tests;
