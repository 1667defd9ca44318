use super::*;

const FEED: &str = "credence-feed.credence-system.svc:8444";

/// A block of PEM, and the digest of what is in it.
fn root(content: [u8; 3]) -> (String, String) {
    let pem = match content {
        [0, 0, 0] => "AAAA",
        [0, 0, 1] => "AAAB",
        _ => "AAAC",
    };
    let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
    (pem, sha256_hex(&content))
}

fn ours() -> (String, String) {
    root([0, 0, 0])
}

fn traits<'a>(variables: Vec<(&'static str, Option<&'a str>)>) -> Traits<'a> {
    Traits {
        name: names::CONTAINER,
        image: "sidecar:1",
        restart_policy: "Always",
        variables,
        ..Traits::default()
    }
}

/// Whether a sidecar with these variables shows its token to us alone.
fn dials(feed: Option<&str>, ca: Option<&str>) -> bool {
    let token = token_file();
    let variables = vec![
        (names::FEED_VARIABLE, feed),
        (names::FEED_CA_VARIABLE, ca),
        (names::TOKEN_VARIABLE, Some(token.as_str())),
    ];
    trusts(&traits(variables))
}

fn trusts(traits: &Traits<'_>) -> bool {
    let found = traits.sidecar().expect("a sidecar");
    found.dials(FEED, |root| root == ours().1)
}

#[test]
fn a_sidecar_with_another_feed_or_another_authority_is_not_ours() {
    let (mine, theirs) = (ours().0, root([0, 0, 1]).0);
    assert!(dials(Some(FEED), Some(&mine)));
    let twice = format!("{mine}# once more\n{mine}");
    assert!(dials(Some(FEED), Some(&twice)));

    let both = format!("{mine}{theirs}");
    let cut = format!("{mine}-----BEGIN CERTIFICATE-----\nAAAA");
    for (feed, ca) in [
        (Some("theirs.test:8444"), Some(mine.as_str())),
        (Some(""), Some(&mine)),
        // From another object, which may say anything by then.
        (None, Some(&mine)),
        (Some(FEED), None),
        (Some(FEED), Some("")),
        (Some(FEED), Some(&theirs)),
        (Some(FEED), Some(&both)),
        (Some(FEED), Some(&cut)),
    ] {
        assert!(!dials(feed, ca), "{feed:?} {ca:?}");
    }
}

#[test]
fn what_a_kubelet_would_put_in_its_place_is_no_authority_of_ours() {
    let more = format!("{}$(MORE)", ours().0);
    assert!(!dials(Some(FEED), Some(&more)));
}

#[test]
fn variables_that_are_there_twice_or_come_from_elsewhere_prove_nothing() {
    let ca = ours().0;
    let token = token_file();
    let once = vec![
        (names::FEED_VARIABLE, Some(FEED)),
        (names::FEED_CA_VARIABLE, Some(ca.as_str())),
        (names::TOKEN_VARIABLE, Some(token.as_str())),
    ];
    assert!(trusts(&traits(once.clone())));
    for again in &once {
        let mut twice = once.clone();
        twice.push(*again);
        assert!(!trusts(&traits(twice)), "{again:?}");
        let without = once.iter().copied().filter(|told| told != again);
        assert!(!trusts(&traits(without.collect())), "{again:?}");
    }
    let mut elsewhere = once.clone();
    elsewhere[2].1 = Some("/theirs/token");
    assert!(!trusts(&traits(elsewhere)));
    let from = Traits {
        has_env_from: true,
        ..traits(once)
    };
    assert!(!trusts(&from));
}

#[test]
fn no_more_roots_are_kept_than_a_pod_could_need() {
    let many: String = (0..MOST_ROOTS)
        .map(|number| {
            let content = char::from(b'A' + u8::try_from(number).unwrap());
            format!("-----BEGIN CERTIFICATE-----\nAAA{content}\n-----END CERTIFICATE-----\n")
        })
        .collect();
    assert_eq!(roots(&many).map(|roots| roots.len()), Some(MOST_ROOTS));
    let more = format!("{many}{}", root([0, 0, 0]).0.replace("AAAA", "BBBB"));
    assert_eq!(roots(&more), None);
    assert_eq!(roots(&more.repeat(1000)), None);
}

#[test]
fn what_is_mounted_over_the_program_covers_it_however_it_is_written() {
    let program = names::SIDECAR_PROGRAM;
    for over in [
        "/credence-sidecar",
        "/credence-sidecar/",
        "credence-sidecar",
        "//credence-sidecar",
        "/./credence-sidecar",
        "/etc/../credence-sidecar",
        "/../credence-sidecar",
        "/",
        "",
        "/etc/..",
    ] {
        assert!(covers(over, program), "{over:?}");
    }
    for beside in [
        "/credence",
        "/credence-sidecar2",
        "/credence-sidecar/file",
        "/etc/ssl/certs",
        "/credence-sidecar/../etc",
    ] {
        assert!(!covers(beside, program), "{beside:?}");
    }
}

#[test]
fn another_version_of_the_image_is_still_ours() {
    let ours = "registry.test:5000/credence-sidecar:0.2.0";
    let is_ours = |image: &str| {
        let image = image.to_owned();
        FoundSidecar { image, feed: None }.has_image_of(ours)
    };
    for version in [
        ours,
        "registry.test:5000/credence-sidecar:0.1.0",
        "registry.test:5000/credence-sidecar",
        "registry.test:5000/credence-sidecar:0.1.0@sha256:00",
    ] {
        assert!(is_ours(version), "{version}");
    }
    for other in [
        "registry.test:5000/app:0.2.0",
        "registry.test/credence-sidecar:0.2.0",
        "credence-sidecar:0.2.0",
        "",
    ] {
        assert!(!is_ours(other), "{other}");
    }
}
