//! What a provider could repeat of the credentials that are put on a call.

use std::fmt;

use credence_core::bundle::{Placed, Route};
use memchr::memmem;
use zeroize::Zeroizing;

use crate::target;

/// The texts by which a caller would learn a credential. Its `Debug` shows
/// nothing.
///
/// Values that are new on each call are not among them.
pub(crate) struct Credentials(Vec<Zeroizing<Vec<u8>>>);

/// How many times an escape is looked for in an escape: a reference within
/// the query of a reference within a reference.
const ROUNDS: usize = 3;

/// What is shorter stands in many texts that do not tell it.
const SHORTEST: usize = 8;

impl Credentials {
    pub(crate) fn of(route: &Route) -> Self {
        let path = route
            .path
            .iter()
            .map(|path| decoded(path.expose().as_bytes()));
        let query = route.query.iter().filter_map(of_parameter);
        let others = [&route.headers, &route.cookies, &route.body];
        let others = others.into_iter().flatten().filter_map(of_other);
        let token = route.signing.iter().filter_map(|signing| {
            let token = signing.session_token.as_ref()?.expose();
            (token.len() >= SHORTEST).then(|| decoded(token.as_bytes()))
        });
        Self(path.chain(query).chain(others).chain(token).collect())
    }

    /// Whether a caller would learn one of them from this text, which is a
    /// reference or holds some.
    pub(crate) fn are_told_by(&self, text: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let text = decoded(text);
        self.0
            .iter()
            .any(|credential| memmem::find(&text, credential).is_some())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

fn of_parameter(placed: &Placed) -> Option<Zeroizing<Vec<u8>>> {
    let value = private(placed)?;
    if value.len() >= SHORTEST {
        return Some(decoded(value.as_bytes()));
    }
    let length = placed.name.len() + 1 + value.len();
    let mut pair = Zeroizing::new(Vec::with_capacity(length));
    pair.extend_from_slice(placed.name.as_bytes());
    pair.push(b'=');
    pair.extend_from_slice(value.as_bytes());
    Some(decoded(&pair))
}

/// Providers repeat a token without the word before it, such as `Bearer`.
fn of_other(placed: &Placed) -> Option<Zeroizing<Vec<u8>>> {
    let value = private(placed)?;
    let bare = value.split_once(' ').map_or(value, |(_, bare)| bare);
    [bare, value]
        .into_iter()
        .find(|text| text.len() >= SHORTEST)
        .map(|text| decoded(text.as_bytes()))
}

fn private(placed: &Placed) -> Option<&str> {
    let value = placed.value.fixed().filter(|_| placed.private)?;
    (!value.is_empty()).then_some(value)
}

/// Without escapes; with a space for each plus, as forms have it.
fn decoded(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(text.to_vec());
    for _ in 0..ROUNDS {
        if !text.contains(&b'%') {
            break;
        }
        let mut once = Zeroizing::new(Vec::with_capacity(text.len()));
        let mut rest = &text[..];
        while let [first, after @ ..] = rest {
            let (byte, after) = target::decoded(*first, after);
            once.push(byte);
            rest = after;
        }
        text = once;
    }
    for byte in text.iter_mut().filter(|byte| **byte == b'+') {
        *byte = b' ';
    }
    text
}

#[cfg(test)]
mod tests {
    use credence_core::Secret;
    use credence_core::bundle::OnConflict;

    use super::*;

    fn placed(name: &str, value: &str, private: bool) -> Placed {
        Placed {
            name: name.to_owned(),
            value: Secret::new(value).into(),
            private,
            on_conflict: OnConflict::Replace,
        }
    }

    fn of(change: impl FnOnce(&mut Route)) -> Credentials {
        let mut route = Route::to("https://api.test/v1".parse().unwrap());
        change(&mut route);
        Credentials::of(&route)
    }

    fn told(credentials: &Credentials, texts: &[&str], expected: bool) {
        for text in texts {
            assert_eq!(credentials.are_told_by(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn segments_are_recognised_in_every_spelling() {
        let credentials = of(|route| route.path = Some(Secret::new("/bot1:a%2Fb")));
        let texts = [
            "/bot1:a%2Fb/x",
            "https://b.test/file/bot1%3Aa%2fb",
            "/login?next=%2Fbot1%3Aa%252Fb",
            "</%62ot1:a/b/2>; rel=next",
        ];
        told(&credentials, &texts, true);
        told(
            &credentials,
            &["/bot1", "/login?next=%2Fbot2", "%", ""],
            false,
        );
        told(&of(|_| {}), &["/v1", ""], false);
    }

    #[test]
    fn a_key_of_the_query_is_recognised_within_other_references() {
        let credentials = of(|route| {
            route.query = vec![
                placed("api_key", "sk a/b+1", true),
                placed("pin", "12", true),
                placed("none", "", true),
                placed("api-version", "2026-11-21", false),
            ];
        });
        let texts = [
            "/login?next=%2Fv1%2Fx%3Fapi_key%3Dsk%2520a%252Fb%252B1",
            "/login?next=%2Fv1%2Fx%3Fother%3Dsk+a%2Fb%2B1",
            "0; url=/x#sk%20a/b+1",
            "/login?next=%2Fv1%3Fpin%3D12",
        ];
        told(&credentials, &texts, true);
        let texts = [
            "/v1/12?none=",
            "/login?next=%2Fv1%3Fapi-version%3D2026-11-21",
            "/login?next=%2Fv1%3Fapi_key%3D",
        ];
        told(&credentials, &texts, false);
    }

    #[test]
    fn what_is_put_elsewhere_is_recognised_if_it_is_long_enough_to_be_a_key() {
        let credentials = of(|route| {
            route.headers = vec![
                placed("Authorization", "Bearer sk-12345", true),
                placed("X-Team", "growth-team", false),
                placed("X-Pin", "1234567", true),
                placed("X-Short", "Bearer k", true),
            ];
            route.cookies = vec![placed("sid", "session-1", true)];
            route.body = vec![placed("token", "member-1", true)];
        });
        let texts = [
            "/x?access_token=sk-12345",
            "/x?a=Bearer+k",
            "/x?a=%2Fy%3Fsession-1",
            "member-1",
        ];
        told(&credentials, &texts, true);
        told(
            &credentials,
            &["/growth-team?1234567", "/k", "Bearer"],
            false,
        );
    }

    #[test]
    fn debug_shows_nothing() {
        let credentials = of(|route| route.query = vec![placed("k", "sk_live_1", true)]);
        assert_eq!(format!("{credentials:?}"), "Credentials(…)");
    }
}
