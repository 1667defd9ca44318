use std::collections::BTreeMap;

use super::*;

mod late;

fn secret(entries: &[(&str, &[u8])]) -> BTreeMap<String, Zeroizing<Vec<u8>>> {
    entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Zeroizing::new(value.to_vec())))
        .collect()
}

fn render_with(text: &str, entries: &[(&str, &[u8])]) -> Result<String, RenderError> {
    let secret = secret(entries);
    let values = BTreeMap::from([
        ("region".to_owned(), "eu-1".to_owned()),
        ("empty".to_owned(), String::new()),
    ]);
    let base_url = "https://API.example.com/v1/".parse().unwrap();
    let scope = Scope {
        secret: Some(&secret),
        values: &values,
        base_url: Some(&base_url),
        key_fingerprint: None,
        empty_allowed: false,
    };
    let value = Template::parse(text).unwrap().render(&scope)?;
    Ok(match &value {
        Value::Fixed(secret) => secret.expose().to_owned(),
        Value::Varying(varying) => format!("varying: {}", *varying.render(&MOMENT)),
    })
}

/// 2026-11-21T21:00:00Z.
const MOMENT: Moment = Moment {
    unix_seconds: 1_795_294_800,
    random: [0; 16],
};

fn rendered(text: &str) -> String {
    let entries: &[(&str, &[u8])] = &[
        ("id", b"Aladdin"),
        ("key", b"open sesame\n"),
        ("odd", b" \xc3\xa9/ "),
        ("bin", b"\xff\xfe\n"),
        (
            "json",
            br#"{"client_email": "a@b", "n": 7, "on": true, "a/b": ["x"]}"#,
        ),
    ];
    render_with(text, entries).unwrap()
}

fn error(text: &str) -> String {
    Template::parse(text).unwrap_err().to_string()
}

#[test]
fn text_without_variables_is_itself() {
    for text in ["", "Bearer x", "$", "$$", "$5 {x}", "a}b", "\u{e9}$"] {
        assert_eq!(rendered(text), text);
        assert_eq!(Template::parse(text).unwrap().as_literal().unwrap(), text);
    }
}

#[test]
fn two_dollars_write_a_literal_placeholder() {
    assert_eq!(rendered("$${secret.id}"), "${secret.id}");
    assert_eq!(rendered("$$${"), "$${");
    assert_eq!(rendered("${(\"$\" secret.id)}"), "$Aladdin");
}

#[test]
fn variables_stand_for_their_values() {
    assert_eq!(rendered("Bearer ${secret.key}!"), "Bearer open sesame!");
    assert_eq!(rendered("${ values.region }${secret.id}"), "eu-1Aladdin");
    assert_eq!(rendered("${secret.json#/client_email}"), "a@b");
    assert_eq!(rendered("${secret.json#/n}${secret.json#/on}"), "7true");
    assert_eq!(rendered("${secret.json#/a~1b/0}"), "x");
}

#[test]
fn the_base_url_is_that_of_the_environment() {
    assert_eq!(rendered("${baseUrl}/x"), "https://api.example.com/v1/x");
    assert_eq!(rendered("${baseUrl|upper}"), "HTTPS://API.EXAMPLE.COM/V1");
}

#[test]
fn what_varies_is_rendered_as_far_as_it_is_known() {
    for (text, expected) in [
        ("${uuid}", "00000000-0000-4000-8000-000000000000"),
        ("${now.unix}", "1795294800"),
        ("${now.iso8601}", "2026-11-21T21:00:00Z"),
        ("${secret.id} ${now.unix}.", "Aladdin 1795294800."),
        (
            "${uuid|upper|base64}",
            "MDAwMDAwMDAtMDAwMC00MDAwLTgwMDAtMDAwMDAwMDAwMDAw",
        ),
        ("${now.iso8601|urlencode}", "2026-11-21T21%3A00%3A00Z"),
        ("${(\" \" now.unix \" \")|trim}", "1795294800"),
        (
            // echo -n 1795294800:Aladdin | sha256sum
            "${(now.unix \":\" secret.id)|sha256hex}",
            "3713bc5547af3c65148050ce311efaa037549e7799ac0e0d08bc6fefcf2b5774",
        ),
        (
            // … | openssl dgst -sha256 -hmac 'open sesame'
            "${(now.unix secret.id|upper)|hmacSha256:key|hex}",
            "e221477ed8e43f5792520e9f5410dc10dab39bf9e77b56d2ee81bb10b8e6c0c6",
        ),
        (
            "${((now.unix)|base64 \".\" secret.id)|base64url}",
            "TVRjNU5USTVORGd3TUE9PS5BbGFkZGlu",
        ),
    ] {
        assert_eq!(rendered(text), format!("varying: {expected}"), "{text}");
    }
}

#[test]
fn nothing_varies_where_no_variable_does() {
    for text in [
        "",
        "a",
        "${secret.id}",
        "${(secret.id values.region)|hmacSha256:key|hex}",
    ] {
        assert!(!rendered(text).starts_with("varying"), "{text}");
    }
}

#[test]
fn where_nothing_may_vary_it_is_an_error() {
    let values = BTreeMap::new();
    let scope = Scope {
        secret: None,
        values: &values,
        base_url: None,
        key_fingerprint: None,
        empty_allowed: false,
    };
    let fixed = |text: &str| Template::parse(text).unwrap().render_fixed(&scope);
    assert_eq!(fixed("${(\"a\" uuid)|hex}"), Err(RenderError::Late));
    assert_eq!(fixed("${baseUrl}"), Err(RenderError::OwnBaseUrl));
    let path = |text: &str| Template::parse(text).unwrap().render_path(&scope);
    assert_eq!(path("/${now.unix}"), Err(RenderError::Late));
    assert_eq!(
        path("/a/${(\"b/c\")}:${(\" \")}"),
        Ok(Secret::new("/a/b%2Fc:%20"))
    );
}

#[test]
fn filters_give_what_their_standards_say() {
    for (text, expected) in [
        // RFC 7617 §2.
        (
            "${(secret.id \":\" secret.key)|base64}",
            "QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        ("${secret.bin|base64}", "//4K"),
        ("${secret.bin|base64url}", "__4K"),
        ("${secret.id|base64url}", "QWxhZGRpbg"),
        ("${secret.bin|hex}", "fffe0a"),
        ("${secret.odd|urlencode}", "%20%C3%A9%2F%20"),
        ("${secret.odd|trim|upper}", "\u{c9}/"),
        ("${secret.id|lower}", "aladdin"),
        // FIPS 180-4, "abc".
        (
            "${(\"abc\")|sha256hex}",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            "${(\"abc\")|sha256base64}",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        ),
        (
            "${((secret.id|lower \"-\") (values.region))|upper}",
            "ALADDIN-EU-1",
        ),
        ("${(\"a\\\"\\\\\\n\")}", "a\"\\\\n"),
    ] {
        assert_eq!(rendered(text), expected, "{text}");
    }
}

#[test]
fn hmac_follows_rfc_4231() {
    // Test case 2.
    let entries: &[(&str, &[u8])] = &[("k", b"Jefe"), ("text", b"what do ya want for nothing?")];
    let digest = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let rendered = render_with("${secret.text|hmacSha256:k|hex}", entries);
    assert_eq!(rendered, Ok(digest.to_owned()));
}

#[test]
fn one_trailing_line_break_is_dropped() {
    for (value, expected) in [
        ("k\n", "k"),
        ("k\r\n", "k"),
        ("k\n\n", "k\n"),
        ("k\r", "k\r"),
    ] {
        let entries: &[(&str, &[u8])] = &[("k", value.as_bytes())];
        assert_eq!(render_with("${secret.k}", entries).unwrap(), expected);
    }
}

#[test]
fn what_is_not_there_is_an_error_and_never_an_empty_text() {
    let key = || "k".to_owned();
    for (text, value, expected) in [
        (
            "${secret.other}",
            b"v".as_slice(),
            RenderError::KeyMissing {
                key: "other".to_owned(),
            },
        ),
        ("${secret.k}", b"", RenderError::EmptySecret { key: key() }),
        (
            "${secret.k}",
            b"\n",
            RenderError::EmptySecret { key: key() },
        ),
        ("${secret.k}", b"\xff", RenderError::NotText { key: key() }),
        (
            "${secret.k|upper}",
            b"\xff",
            RenderError::NotText { key: key() },
        ),
        (
            "${(secret.k)|base64}",
            b"\xff",
            RenderError::NotText { key: key() },
        ),
        ("${secret.k#/a}", b"{", RenderError::NotJson { key: key() }),
        (
            "${secret.k#/a}",
            b"{\"a\": {}}",
            RenderError::MemberMissing {
                key: key(),
                pointer: "/a".to_owned(),
            },
        ),
        (
            "${secret.k#/a}",
            b"{\"a\": \"\"}",
            RenderError::EmptySecret {
                key: "k#/a".to_owned(),
            },
        ),
        (
            "${values.none}",
            b"v",
            RenderError::ValueMissing {
                name: "none".to_owned(),
            },
        ),
        (
            "${values.empty}",
            b"v",
            RenderError::EmptyValue {
                name: "empty".to_owned(),
            },
        ),
        (
            "${(uuid values.region)|hmacSha256:h|hex}",
            b"v",
            RenderError::KeyMissing {
                key: "h".to_owned(),
            },
        ),
    ] {
        assert_eq!(render_with(text, &[("k", value)]), Err(expected), "{text}");
    }
}

#[test]
fn references_name_everything_that_is_needed() {
    let text = "${secret.a}${(values.b secret.c#/d)|hmacSha256:e|hex}$${secret.f}";
    let template = Template::parse(text).unwrap();
    let references = template.references();
    assert_eq!(Vec::from_iter(references.secret_keys), ["a", "c", "e"]);
    assert_eq!(Vec::from_iter(references.values), ["b"]);
    assert!(!references.base_url && references.late.is_empty());
    let varying = Template::parse("${(baseUrl (now.unix uuid))|hex}").unwrap();
    let references = varying.references();
    assert!(references.base_url);
    let late: Vec<String> = references.late.iter().map(ToString::to_string).collect();
    assert_eq!(late, ["uuid", "now.unix"]);
    assert!(template.refers_to_secret());
    assert!(!Template::parse("${values.b}").unwrap().refers_to_secret());
}

#[test]
fn errors_say_where_and_what_to_write() {
    let filters = "base64, base64url, hex, sha256hex, sha256base64, hmacSha256, urlencode, upper, lower, trim";
    for (text, expected) in [
        (
            "Bearer ${secrets.k}",
            "at character 10: unknown variable \"secrets.k\" (did you mean \"secret.k\"?); \
             there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "${api-key}",
            "at character 3: unknown variable \"api-key\" (did you mean \"secret.api-key\"?); \
             there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "${value.x}",
            "at character 3: unknown variable \"value.x\" (did you mean \"values.x\"?); \
             there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "\u{e9}\u{e9}${tokens.x}",
            "at character 5: unknown variable \"tokens.x\"; there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "${baseURL}",
            "at character 3: unknown variable \"baseURL\" (did you mean \"baseUrl\"?); \
             there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "${now.iso8501}",
            "at character 3: unknown variable \"now.iso8501\" (did you mean \"now.iso8601\"?); \
             there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "${now}",
            "at character 3: unknown variable \"now\" (did you mean \"now.unix\"?); \
             there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "${secret}",
            "at character 3: unknown variable \"secret\" (did you mean \"secret.KEY\"?); \
             there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "${secret.a",
            "at character 1: \"${\" is not closed: write \"}\" after the variable, or \"$${\" for a literal \"${\"",
        ),
        (
            "x${",
            "at character 2: \"${\" is not closed: write \"}\" after the variable, or \"$${\" for a literal \"${\"",
        ),
        (
            "${}",
            "at character 3: a variable is missing here: there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "${()}",
            "at character 4: a variable is missing here: there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "${|hex}",
            "at character 3: a variable is missing here: there are secret.KEY, values.NAME, baseUrl, uuid, now.unix, now.iso8601, token and token.NAME",
        ),
        (
            "${secret.a b}",
            "at character 12: unexpected \"b\": after a variable come \"|\" and a filter, or \"}\"",
        ),
        (
            "${(secret.a}",
            "at character 3: \"(\" is not closed: write \")\" after the last part",
        ),
        (
            "${(\"a)}",
            "at character 4: the text in quotes is not closed: write '\"' after it",
        ),
        (
            "${secret.a/b}",
            "at character 3: \"a/b\" cannot be a key: keys consist of letters, digits, \"-\", \"_\" and \".\"",
        ),
        (
            "${secret.}",
            "at character 3: \"\" cannot be a key: keys consist of letters, digits, \"-\", \"_\" and \".\"",
        ),
        (
            "${secret.a#b}",
            "at character 3: \"#b\" is not a JSON pointer: write it like \"#/client_email\"",
        ),
        (
            "${secret.a#/~2}",
            "at character 3: \"#/~2\" is not a JSON pointer: write it like \"#/client_email\"",
        ),
        (
            "${secret.a|hmacSha256|hex}",
            "at character 12: filter \"hmacSha256\" needs a key of the Secret: write hmacSha256:KEY",
        ),
        (
            "${secret.a|hmacSha256:k}",
            "at character 12: \"hmacSha256\" gives raw bytes: write |hex, |base64 or |base64url after it",
        ),
        (
            "${secret.a|hmacSha256:k|upper}",
            "at character 12: \"hmacSha256\" gives raw bytes: write |hex, |base64 or |base64url after it",
        ),
        (
            "${secret.a|upper:x}",
            "at character 12: filter \"upper\" takes nothing after \":\"",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
    assert_eq!(
        error("${secret.a | base46}"),
        format!(
            "at character 14: unknown filter \"base46\" (did you mean \"base64\"?); there are {filters}"
        )
    );
    assert_eq!(
        error("${secret.a|zip}"),
        format!("at character 12: unknown filter \"zip\"; there are {filters}")
    );
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth: usize| format!("${{{}secret.a{}}}", "(".repeat(depth), ")".repeat(depth));
    assert!(Template::parse(&nested(8)).is_ok());
    assert_eq!(
        error(&nested(9)),
        "at character 11: parentheses are nested more than 8 deep"
    );
    assert!(error(&"${(".repeat(100_000)).starts_with("at character"));
}

/// Whatever the text: no panic, and the same template again from its own text;
/// and any text at all can be written as a literal.
#[test]
fn parsing_is_total_and_literals_survive_it() {
    const PIECES: [&str; 19] = [
        "uuid",
        "now.unix",
        "baseUrl",
        "$",
        "$$",
        "{",
        "}",
        "${",
        "(",
        ")",
        "\"",
        "\\",
        "|",
        " ",
        "secret.id",
        "values.region",
        "#/a",
        "hex",
        "\u{e9}",
    ];
    let mut state = 7_u64;
    let mut parsed = 0;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..7 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text.push_str(PIECES[usize::try_from(state >> 33).unwrap() % PIECES.len()]);
        }
        if let Ok(template) = Template::parse(&text) {
            parsed += 1;
            assert_eq!(template.as_str(), text);
            // Rendering does not panic either, whatever comes out.
            _ = render_with(&text, &[("id", b"Aladdin")]);
            assert_eq!(Template::parse(template.as_str()), Ok(template));
        }
        let escaped = text.replace("${", "$${");
        let literal = Template::parse(&escaped).unwrap().as_literal();
        assert_eq!(literal.as_deref(), Some(text.as_str()), "{escaped}");
    }
    assert!(parsed > 1000, "{parsed}");
}
