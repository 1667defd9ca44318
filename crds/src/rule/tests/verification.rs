//! The call that shows whether a credential works.

use super::*;

#[test]
fn a_verification_asks_for_what_follows_the_base_url() {
    for path in ["", "/", "/models", "/a?b=/c"] {
        let spec = json!({"verification": {"path": path}});
        assert_eq!(broken(&spec), Vec::<String>::new(), "{path}");
    }
    for (path, start) in [
        (
            "models",
            "spec.verification.path: path must begin with a slash",
        ),
        (
            "https://a.test/",
            "spec.verification.path: path must begin with a slash",
        ),
        (
            "/${values.a}",
            "spec.verification.path: path must hold neither",
        ),
        ("/a#b", "spec.verification.path: path must hold neither"),
    ] {
        let problems = broken(&json!({"verification": {"path": path}}));
        assert_eq!(problems.len(), 1, "{path}: {problems:?}");
        assert!(problems[0].starts_with(start), "{path}: {problems:?}");
    }
}

#[test]
fn no_verification_goes_with_a_key_in_the_body() {
    let spec = |place: &str| {
        let mut spec = api_key_in(place, "token", "${secret.a}");
        spec["verification"] = json!({"path": "/models"});
        spec
    };
    assert_eq!(broken(&spec("Header")), Vec::<String>::new());
    let expected = "spec: verification is a call without a body, which a key of auth.apiKey in: Body has no place in: \
                    remove it";
    assert_eq!(broken(&spec("Body")), [expected]);
    assert_eq!(broken_of_cluster(&spec("Body")), [expected]);
}
