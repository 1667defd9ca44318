use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn full() -> Record {
    Record {
        generation: 7,
        held: Some(Held {
            order: [1; 32],
            access_token: Secret::new("acc\"ess"),
            obtained_at: at(1000),
            expires_at: Some(at(4600)),
            captured: [("org".to_owned(), Secret::new("o1"))].into(),
            base_url: Some("https://a.test".to_owned()),
            missing_scopes: vec!["write".to_owned()],
        }),
        refresh_token: Some(RefreshToken {
            value: Secret::new("refresh"),
            lineage: [2; 32],
        }),
        intent: Some(Intent {
            holder: "a".to_owned(),
            generation: 7,
            token: [3; 32],
            since: at(2000),
            at: at(2001),
            doubts: 1,
        }),
        unread: Some(Unread {
            order: [1; 32],
            lineage: [2; 32],
            raw: RawAnswer {
                status: 200,
                headers: vec![("date".to_owned(), vec![0xff, 0].into())],
                body: vec![b'{', 0xfe].into(),
            },
            round_trip: RoundTrip {
                sent: at(2001),
                received: at(2002),
            },
            refreshed: true,
            tried: false,
        }),
        setback: Some(Setback {
            order: [1; 32],
            failures: 2,
            at: at(2003),
            next: Next::At(at(2063)),
            reason: SetbackReason::Refused,
            code: Some(ErrorCode::InvalidRequest),
            message: "no".to_owned(),
        }),
        refused: Some(7),
        forced: Some(Forced {
            at: at(1000),
            times: 3,
        }),
        clock_skew: SignedDuration::from_secs(-40),
    }
}

#[test]
fn a_record_is_read_as_it_was_written() {
    for record in [Record::default(), full()] {
        assert_eq!(Record::of_bytes(&record.to_bytes()), Ok(record));
    }
    for next in [Next::Change, Next::Person] {
        for reason in SetbackReason::ALL {
            let mut record = full();
            let setback = record.setback.as_mut().unwrap();
            (setback.next, setback.reason) = (next, reason);
            assert_eq!(Record::of_bytes(&record.to_bytes()), Ok(record));
        }
    }
}

#[test]
fn what_a_newer_program_added_costs_no_refresh_token() {
    let text = String::from_utf8(full().to_bytes().to_vec()).unwrap();
    let newer = text
        .replace(
            "\"generation\":7,\"held\"",
            "\"new\":{},\"generation\":7,\"held\"",
        )
        .replace("TokenRefused", "SomethingNew");
    assert_ne!(newer, text);
    let read = Record::of_bytes(newer.as_bytes()).unwrap();
    let expected = Record {
        setback: None,
        ..full()
    };
    assert_eq!(read, expected);
}

#[test]
fn what_is_no_record_is_not_taken_for_an_empty_one() {
    for bytes in [
        &b""[..],
        b"{}",
        b"[]",
        b"null",
        b"{\"generation\":-1}",
        b"\xff",
    ] {
        assert_eq!(Record::of_bytes(bytes), Err(Unreadable));
    }
    let text = String::from_utf8(full().to_bytes().to_vec()).unwrap();
    let broken = text.replace("\"token\":\"AwMD", "\"token\":\"A");
    assert_ne!(broken, text);
    assert_eq!(Record::of_bytes(broken.as_bytes()), Err(Unreadable));
}

#[test]
fn debug_shows_no_secret_of_a_record() {
    let mut record = full();
    let unread = record.unread.as_mut().unwrap();
    unread.raw.body = b"raw-secret".to_vec().into();
    let shown = format!("{record:?}");
    for secret in ["acc\"ess", "\"refresh\"", "o1", "raw-secret"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
