//! What must be the same in all readings.

use crate::hyper_client;
use crate::hyper_server;
use crate::kawa;
use crate::ours::{self, Role};
use crate::reading::{Bytes, End, Field, Message, Reading, Start, mapped};

/// In a longer input not every single cut is tried, but about as many: which,
/// depends on its bytes, so that each has its turn and a failure repeats. Byte by
/// byte it is always read.
const MOST_CUTS: usize = 64;

/// Reads the input however it can be cut, and says what came of it.
///
/// # Panics
/// When a cut makes a difference.
pub fn at_every_cut(role: Role, input: &[u8]) -> Reading {
    let whole = ours::read(role, input, [].into_iter());
    let bytewise = ours::read(role, input, 1..input.len());
    assert_eq!(bytewise, whole, "byte by byte, and at once");
    let step = input.len() / MOST_CUTS + 1;
    let sum: usize = input.iter().map(|byte| usize::from(*byte)).sum();
    for cut in (1 + sum % step..input.len()).step_by(step) {
        let cut_there = ours::read(role, input, [cut].into_iter());
        assert_eq!(cut_there, whole, "cut at {cut}, and at once");
    }
    whole
}

/// Reads the input as all readers do.
///
/// # Panics
/// When the codec reads it differently, however it is cut.
pub fn by_all(role: Role, input: &[u8]) {
    let ours = at_every_cut(role, input);
    match role {
        Role::Requests => {
            let theirs = hyper_server::read(input);
            compare(&ours, &theirs, &Peer::HYPER_SERVER);
        }
        Role::Answers(heads) => {
            let theirs = hyper_client::read(input, heads, &ours);
            compare(&without_interim(&ours), &theirs, &Peer::HYPER_CLIENT);
        }
    }
    compare(&ours, &kawa::read(role, input), &Peer::KAWA);
}

/// What a reader cannot tell.
struct Peer {
    name: &'static str,
    /// The fields as it would give them, of ours and of its own.
    fields: fn(&Message) -> Vec<Field>,
    target: fn(&[u8]) -> Option<Bytes>,
    /// Whether it says that a connection goes on.
    keeps: bool,
    /// Why it may refuse what the codec accepts. Anything else would be a
    /// leniency of the codec.
    may_refuse: fn(&str) -> bool,
}

impl Peer {
    const HYPER_SERVER: Self = Self {
        name: "hyper's server",
        fields: |message| mapped(&message.fields),
        target: in_origin_form,
        keeps: false,
        // Targets are judged behind the codec; and it keeps the two largest
        // lengths for itself.
        may_refuse: |why| why.contains("Parse(Uri)") || why.contains("Parse(TooLarge)"),
    };
    const HYPER_CLIENT: Self = Self {
        name: "hyper's client",
        keeps: true,
        ..Self::HYPER_SERVER
    };
    const KAWA: Self = Self {
        name: "kawa",
        fields: without_host_and_cookie,
        target: |target| Some(target.into()),
        keeps: false,
        // It knows no chunk extensions, no line without a reason, and more.
        may_refuse: |_| true,
    };
}

/// Holds one reading against ours.
fn compare(ours: &Reading, theirs: &Reading, peer: &Peer) {
    let context = || format!("\n  ours: {ours:#?}\n  {}: {theirs:#?}", peer.name);
    let refused = match &theirs.end {
        End::Refused(why) => (peer.may_refuse)(why),
        End::Waiting | End::Closed => false,
    };
    for (number, message) in ours.messages.iter().enumerate() {
        let Some(other) = theirs.messages.get(number) else {
            assert!(
                refused,
                "{} has no message {number}{}",
                peer.name,
                context()
            );
            return;
        };
        let differ = |what: &str| -> ! {
            panic!("{what} of message {number} differs{}", context());
        };
        if !is_same_start(&message.start, &other.start, peer) {
            differ("the first line");
        }
        if (peer.fields)(message) != (peer.fields)(other) {
            differ("a field");
        }
        let shorter = message.body.len().min(other.body.len());
        if message.body[..shorter] != other.body[..shorter] {
            differ("the body");
        }
        if message.whole {
            if !other.whole {
                if refused {
                    return;
                }
                differ("the end");
            }
            if message.body != other.body {
                differ("the body");
            }
            if mapped(&message.trailers) != mapped(&other.trailers) {
                differ("a trailer");
            }
            if let (Some(ours), Some(theirs)) = (message.end, other.end)
                && ours != theirs
            {
                differ("the end");
            }
            if peer.keeps && message.keep && !other.keep {
                differ("keeping the connection");
            }
        } else if other.whole && ours.end == End::Waiting {
            differ("the end");
        }
        if !message.keep {
            return;
        }
    }
    let more = theirs.messages.len() > ours.messages.len();
    assert!(
        !(more && ours.end == End::Waiting),
        "{} has another message{}",
        peer.name,
        context()
    );
}

fn is_same_start(ours: &Start, theirs: &Start, peer: &Peer) -> bool {
    match (ours, theirs) {
        (
            Start::Request {
                method,
                target,
                minor,
            },
            Start::Request {
                method: their_method,
                target: their_target,
                minor: their_minor,
            },
        ) => {
            let same_target = (peer.target)(&target.0)
                .is_none_or(|target| Some(target) == (peer.target)(&their_target.0));
            method == their_method && minor == their_minor && same_target
        }
        _ => ours == theirs,
    }
}

/// The target without the fragment, which hyper's type of it drops; none in
/// the other forms, which that type writes in its own way.
fn in_origin_form(target: &[u8]) -> Option<Bytes> {
    let end = target.iter().position(|byte| *byte == b'#');
    let path = &target[..end.unwrap_or(target.len())];
    path.starts_with(b"/").then(|| path.into())
}

fn without_host_and_cookie(message: &Message) -> Vec<Field> {
    let is = |field: &Field, name: &str| field.0.0.eq_ignore_ascii_case(name.as_bytes());
    let kept = |field: &&Field| !is(field, "host") && !is(field, "cookie");
    message.fields.iter().filter(kept).cloned().collect()
}

/// A client of hyper is not shown the interim answers.
fn without_interim(reading: &Reading) -> Reading {
    let is_final = |message: &&Message| !matches!(message.start, Start::Answer { status } if (100..=199).contains(&status));
    Reading {
        messages: reading.messages.iter().filter(is_final).cloned().collect(),
        end: reading.end.clone(),
    }
}
