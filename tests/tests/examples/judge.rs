//! Whether a request is what a provider's documentation demands.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::demands::{Case, Demand};
use crate::provider::Arrived;
use crate::signature;

/// What `{NAME}` stands for in the texts of a case.
pub(crate) type Known = BTreeMap<String, String>;

pub(crate) fn filled(text: &str, known: &Known) -> String {
    known.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), value)
    })
}

/// Whether something is there once, and is this.
pub(crate) fn expect(what: &str, given: &[&str], expected: &str) -> Result<(), String> {
    match given {
        [only] if *only == expected => Ok(()),
        _ => Err(format!("{what} is {given:?}, not {expected}")),
    }
}

/// What the provider's documentation says about a request.
pub(crate) fn judge(case: &Case, known: &Known, arrived: &Arrived) -> Result<(), String> {
    let (method, _, body) = case.call;
    expect("the method", &[&arrived.method], method)?;
    let target = filled(case.target, known);
    expect("the target", &[&arrived.target], &target)?;
    if let Some((kind, body)) = body {
        expect("the body", &[&arrived.body], body)?;
        expect("its type", &arrived.values("content-type"), kind)?;
    }
    satisfies(case.demands, known, arrived)
}

/// Whether a request has all of this.
pub(crate) fn satisfies(
    demands: &[Demand],
    known: &Known,
    arrived: &Arrived,
) -> Result<(), String> {
    for demand in demands {
        match *demand {
            Demand::Header(name, value) | Demand::Default(name, value) => {
                expect(name, &arrived.values(name), &filled(value, known))?;
            }
            Demand::Basic(user, password) => {
                let pair = STANDARD.encode(filled(&format!("{user}:{password}"), known));
                let given = arrived.values("authorization");
                expect("authorization", &given, &format!("Basic {pair}"))?;
            }
            Demand::Signature { service, region } => {
                let region = filled(region, known);
                let given = arrived.values("authorization");
                let expected = signature::expected(arrived, known, service, &region)?;
                expect("authorization", &given, &expected)?;
            }
            Demand::Uuid(name) => match arrived.values(name).as_slice() {
                [id] if is_random_uuid(id) => {}
                other => return Err(format!("{name} is {other:?}, not a UUID")),
            },
            Demand::Certificate => {
                let shown: Vec<&str> = arrived.certificate.as_deref().into_iter().collect();
                expect("the certificate", &shown, &known["certificate"])?;
            }
        }
    }
    Ok(())
}

/// RFC 9562 §5.4: `xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx`.
fn is_random_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12]
        && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
        && text.as_bytes()[14] == b'4'
}
