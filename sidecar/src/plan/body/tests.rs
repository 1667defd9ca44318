use credence_core::Secret;

use super::*;

const MOMENT: Moment = Moment {
    unix_seconds: 7,
    random: [0; 16],
};

fn placed(name: &str, value: &str, on_conflict: OnConflict) -> Placed {
    Placed {
        name: name.to_owned(),
        value: Secret::new(value).into(),
        private: true,
        on_conflict,
    }
}

fn key(on_conflict: OnConflict) -> BodyPlan {
    BodyPlan::compile(&[placed("key", "s\"1 &", on_conflict)]).unwrap()
}

fn written(plan: &BodyPlan, format: Format, body: &str) -> Result<String, Unwritable> {
    let mut out = Vec::new();
    plan.write(format, body.as_bytes(), &&MOMENT, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_member_is_added_to_an_object_and_no_other_byte_is_touched() {
    for (body, expected) in [
        ("{}", r#"{"key":"s\"1 &"}"#),
        (" { } \r\n", " {\"key\":\"s\\\"1 &\" } \r\n"),
        (
            r#"{"a": 1.0e5, "b":[{"key":1}] }"#,
            r#"{"a": 1.0e5, "b":[{"key":1}],"key":"s\"1 &" }"#,
        ),
        (
            r#"{"a":123456789012345678901234567890,"a":"\u00e9/\/"}"#,
            r#"{"a":123456789012345678901234567890,"a":"\u00e9/\/","key":"s\"1 &"}"#,
        ),
        (
            r#"{"Key":1,"key ":2}"#,
            r#"{"Key":1,"key ":2,"key":"s\"1 &"}"#,
        ),
    ] {
        let written = written(&key(OnConflict::Replace), Format::Json, body).unwrap();
        assert_eq!(written, expected, "{body}");
    }
}

#[test]
fn a_member_that_is_there_is_replaced_where_it_is_and_its_duplicates_go() {
    for (body, expected) in [
        (r#"{"key":"mine"}"#, r#"{"key":"s\"1 &"}"#),
        (
            r#"{"key" : {"x":[1]} , "a":2}"#,
            r#"{"key" : "s\"1 &" , "a":2}"#,
        ),
        (
            r#"{"a":1, "key":1, "b":2 , "k\u0065y":3,"c":4, "key":5}"#,
            r#"{"a":1, "key":"s\"1 &", "b":2,"c":4}"#,
        ),
        (r#"{"key":1,"key":2}"#, r#"{"key":"s\"1 &"}"#),
    ] {
        let written = written(&key(OnConflict::Replace), Format::Json, body).unwrap();
        assert_eq!(written, expected, "{body}");
        serde_json::from_str::<serde_json::Value>(&written).unwrap();
    }
}

#[test]
fn a_decoder_that_ignores_case_finds_ours_last() {
    for (body, expected) in [
        (r#"{"key":1,"KEY":2}"#, r#"{"KEY":2,"key":"s\"1 &"}"#),
        (r#"{"KEY":2,"key" : 1}"#, r#"{"KEY":2,"key" : "s\"1 &"}"#),
        (
            r#"{ "key" : 1 , "key":2, "a":3, "key":4,"Ke\u0079":5 }"#,
            r#"{ "a":3,"Ke\u0079":5,"key":"s\"1 &" }"#,
        ),
        (
            r#"{"a":1,"key":2,"Key":3,"key":4,"key":5,"b":6}"#,
            r#"{"a":1,"Key":3,"key":"s\"1 &","b":6}"#,
        ),
        (
            "{\"key\":1,\"\u{212a}ey\":2}",
            "{\"\u{212a}ey\":2,\"key\":\"s\\\"1 &\"}",
        ),
    ] {
        let json = written(&key(OnConflict::Replace), Format::Json, body).unwrap();
        assert_eq!(json, expected, "{body}");
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    }
    let form = written(&key(OnConflict::Replace), Format::Form, "key=1&KEY=2");
    assert_eq!(form.unwrap(), "KEY=2&key=s%221%20%26");
    let two = [
        placed("key", "k", OnConflict::Replace),
        placed("KEY", "K", OnConflict::Replace),
        placed("b", "2", OnConflict::Replace),
    ];
    for (body, expected) in [
        (
            r#"{"KEY":1,"key":2,"b":3}"#,
            r#"{"KEY":"K","key":"k","b":"2"}"#,
        ),
        (
            r#"{"b":1,"key":1,"b":2,"Key":3}"#,
            r#"{"b":"2","Key":3,"key":"k","KEY":"K"}"#,
        ),
        (
            r#"{"key":1,"b":1,"B":2,"b":3,"Key":4}"#,
            r#"{"B":2,"b":"2","Key":4,"key":"k","KEY":"K"}"#,
        ),
    ] {
        let plan = BodyPlan::compile(&two).unwrap();
        assert_eq!(written(&plan, Format::Json, body).unwrap(), expected);
    }
}

#[test]
fn the_callers_own_wins_or_is_refused_where_the_collection_says_so() {
    for (format, mine, other, expected) in [
        (
            Format::Json,
            r#"{"key":1,"key":2}"#,
            r#"{"a":1}"#,
            r#"{"a":1,"key":"s\"1 &"}"#,
        ),
        (Format::Form, "k%65y=1", "a=1", "a=1&key=s%221%20%26"),
    ] {
        let conflict = Unwritable::Conflict("key".to_owned());
        let (default, reserved) = (key(OnConflict::IfAbsent), key(OnConflict::Reject));
        assert_eq!(written(&default, format, mine).unwrap(), mine);
        assert_eq!(written(&default, format, other).unwrap(), expected);
        assert_eq!(written(&reserved, format, mine), Err(conflict));
        assert_eq!(written(&reserved, format, other).unwrap(), expected);
    }
}

#[test]
fn several_members_and_those_that_vary_are_set_together() {
    let plan = BodyPlan::compile(&[
        Placed {
            value: Value::Varying(
                serde_json::from_str(r#"[{"text": "t\""}, {"variable": "nowUnix"}]"#).unwrap(),
            ),
            ..placed("at", "", OnConflict::Replace)
        },
        placed("key", "k", OnConflict::Replace),
    ])
    .unwrap();
    for (body, expected) in [
        ("{}", r#"{"at":"t\"7","key":"k"}"#),
        (r#"{"key":1}"#, r#"{"key":"k","at":"t\"7"}"#),
        (r#"{"key":1,"at":2,"key":3}"#, r#"{"key":"k","at":"t\"7"}"#),
    ] {
        assert_eq!(written(&plan, Format::Json, body).unwrap(), expected);
    }
    let form = written(&plan, Format::Form, "at=1&x&key").unwrap();
    assert_eq!(form, "x&at=t%227&key=k");
}

#[test]
fn a_field_of_a_form_is_replaced_in_every_spelling() {
    for (body, expected) in [
        ("", "key=s%221%20%26"),
        ("a=1&key=x&b=%2f+&k%65y", "a=1&b=%2f+&key=s%221%20%26"),
        ("?a", "?a&key=s%221%20%26"),
    ] {
        let written = written(&key(OnConflict::Replace), Format::Form, body).unwrap();
        assert_eq!(written, expected, "{body}");
    }
}

#[test]
fn what_is_not_one_object_is_refused() {
    for (body, why) in [
        ("", Unwritable::NotJson),
        ("{", Unwritable::NotJson),
        ("{} {}", Unwritable::NotJson),
        ("{\"a\":1,}", Unwritable::NotJson),
        ("{'a':1}", Unwritable::NotJson),
        ("{\"a\":01}", Unwritable::NotJson),
        ("\u{feff}{}", Unwritable::NotJson),
        ("[]", Unwritable::NotAnObject),
        ("null", Unwritable::NotAnObject),
        ("\"key\"", Unwritable::NotAnObject),
        ("1", Unwritable::NotAnObject),
    ] {
        let refused = written(&key(OnConflict::Replace), Format::Json, body);
        assert_eq!(refused, Err(why), "{body}");
    }
    let mut out = Vec::new();
    let latin =
        key(OnConflict::Replace).write(Format::Json, b"{\"a\":\"\xe9\"}", &&MOMENT, &mut out);
    assert_eq!(latin, Err(Unwritable::NotJson));
}

#[test]
fn depth_costs_no_stack() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    let written = written(&key(OnConflict::Replace), Format::Json, &deep).unwrap();
    assert!(written.ends_with("]],\"key\":\"s\\\"1 &\"}"));
}

#[test]
fn the_format_is_known_by_the_type() {
    let of = |fields: &[(&'static str, &'static str)]| {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| Field {
                name,
                value: value.as_bytes(),
            })
            .collect();
        Format::of(&fields)
    };
    for (content_type, expected) in [
        ("application/json", Ok(Format::Json)),
        ("Application/JSON; charset=UTF-8", Ok(Format::Json)),
        ("application/vnd.api+json;v=1", Ok(Format::Json)),
        (
            "application/x-www-form-urlencoded;charset=utf-8",
            Ok(Format::Form),
        ),
        (
            "application/x-www-form-urlencoded ; Charset = \"ISO-8859-1\" ;x",
            Ok(Format::Form),
        ),
        ("application/json; charset=utf-7", Err(Unwritable::Charset)),
        (
            "application/x-www-form-urlencoded;charset=UTF-16LE",
            Err(Unwritable::Charset),
        ),
        (
            "application/x-www-form-urlencoded; charset=utf-8; charset=ibm037",
            Err(Unwritable::Charset),
        ),
        (
            "application/json; charset*=us-ascii'en'utf-7",
            Err(Unwritable::Charset),
        ),
        ("text/plain", Err(Unwritable::OtherType)),
        (
            "multipart/form-data; boundary=x",
            Err(Unwritable::OtherType),
        ),
        ("application/jsonl", Err(Unwritable::OtherType)),
        ("", Err(Unwritable::OtherType)),
    ] {
        assert_eq!(
            of(&[("content-type", content_type)]),
            expected,
            "{content_type}"
        );
    }
    let json = ("Content-Type", "application/json");
    assert_eq!(of(&[]), Err(Unwritable::NoType));
    assert_eq!(of(&[json, json]), Err(Unwritable::NoType));
    assert_eq!(
        of(&[json, ("content-encoding", "gzip")]),
        Err(Unwritable::Encoded)
    );
    assert_eq!(
        of(&[json, ("content-encoding", "identity")]),
        Ok(Format::Json)
    );
}

#[test]
fn debug_shows_names_only() {
    assert_eq!(format!("{:?}", key(OnConflict::Replace)), "[\"key\"]");
}
