//! What was stored before it was read.

use super::*;

#[test]
fn a_stored_answer_is_read_before_anything_else_is_done() {
    let mut story = rotating().begins(0);
    story.arrives(
        Ask::Refresh,
        0,
        200,
        r#"{"access_token": "t1", "refresh_token": "r1"}"#,
    );
    assert_eq!(story.step_of("b", 5), Step::Read);
    story.record = story.record.reading(&story.terms, at(5));
    assert_eq!(
        (story.token(5), story.refresh_token()),
        (Some("t1"), Some("r1"))
    );
    assert_eq!(story.record.intent, None);
}

#[test]
fn a_refresh_token_under_another_name_is_found_when_the_manifest_tells_the_name() {
    let body = r#"{"accessToken": "t1", "refreshToken": "r1", "expires_in": 3600}"#;
    let story = rotating().answered(0, 200, body);
    // The old refresh token must not be played out meanwhile.
    assert_eq!(story.step(1_000_000), STOPPED);
    let mut story = story.ordered_anew();
    story.terms.shape.access_token = "accessToken".parse().unwrap();
    story.terms.shape.refresh_token = "refreshToken".parse().unwrap();
    assert_eq!(story.step(1_000_000), Step::Read);
    story.record = story.record.reading(&story.terms, at(1_000_000));
    assert_eq!(story.refresh_token(), Some("r1"));
    assert_eq!(story.step(1_000_000), REFRESH);
}

#[test]
fn an_edit_that_finds_half_of_an_answer_leaves_the_other_half_there() {
    let body = r#"{"accessToken": "t1", "refreshToken": "r1", "expires_in": 3600}"#;
    let mut story = rotating().answered(0, 200, body).ordered_anew();
    let read = |story: &mut Story, second| {
        assert_eq!(story.step(second), Step::Read);
        story.record = story.record.reading(&story.terms, at(second));
    };
    // Something else was edited.
    read(&mut story, 10);
    assert_eq!(story.step(1_000_000), STOPPED);

    story.terms.order = [10; 32];
    story.terms.shape.access_token = "accessToken".parse().unwrap();
    read(&mut story, 20);
    // The old refresh token is not played out, and what is missing is told.
    assert_eq!((story.step(1_000_000), story.token(20)), (STOPPED, None));
    let message = &story.record.setback.as_ref().unwrap().message;
    assert!(message.contains("refreshTokenPath"), "{message}");

    story.terms.order = [11; 32];
    story.terms.shape.refresh_token = "refreshToken".parse().unwrap();
    read(&mut story, 30);
    assert_eq!(
        (story.refresh_token(), story.step(30)),
        (Some("r1"), REFRESH)
    );
}

#[test]
fn a_provider_that_gives_no_refresh_token_is_asked_again_once_its_answer_is_understood() {
    let mut story = rotating().answered(0, 200, r#"{"accessToken": "t1"}"#);
    assert_eq!(story.step(1_000_000), STOPPED);
    story = story.ordered_anew();
    story.terms.shape.access_token = "accessToken".parse().unwrap();
    assert_eq!(story.step(10), Step::Read);
    story.record = story.record.reading(&story.terms, at(10));
    assert_eq!(
        (story.refresh_token(), story.step(10)),
        (Some("seed"), REFRESH)
    );
}

#[test]
fn an_edit_ends_the_wait_for_a_provider_that_says_something_else() {
    let story = rotating().answered(0, 200, r#"{"message": "try later"}"#);
    let mut story = story.ordered_anew();
    assert_eq!(story.step(10), Step::Read);
    story.record = story.record.reading(&story.terms, at(10));
    assert_eq!(story.step(10), REFRESH);
}

#[test]
fn an_answer_is_not_used_while_its_refresh_token_stands_where_nobody_looks() {
    for body in [
        r#"{"access_token": "t1", "refreshToken": "r1"}"#,
        r#"{"access_token": "t1", "Refresh-Token": "r1", "refresh_token": null}"#,
    ] {
        let story = rotating().answered(0, 200, body);
        assert_eq!((story.step(1_000_000), story.token(0)), (STOPPED, None));
        let story = anew().answered(0, 200, body);
        assert_eq!(story.token(0), Some("t1"));
    }
    for body in [
        r#"{"access_token": "t1", "refreshTokenExpiresIn": "60"}"#,
        r#"{"access_token": "t1", "refreshToken": ""}"#,
        r#"{"access_token": "t1", "user": {"refreshToken": "another's"}}"#,
    ] {
        assert_eq!(rotating().answered(0, 200, body).token(0), Some("t1"));
    }
}

#[test]
fn no_more_is_kept_of_an_answer_than_a_store_can_hold() {
    let mut story = rotating();
    // Each is escaped when it is stored.
    let quotes = r#"\""#.repeat(16 * 1024);
    let mut body = format!(r#"{{"access_token": "{quotes}", "refresh_token": "{quotes}""#);
    for number in 0..14 {
        let name = format!("c{number}");
        body += &format!(r#", "{name}": "{quotes}""#);
        story.terms.shape.capture.push(Capture {
            from: name.parse().unwrap(),
            name,
        });
    }
    body.push('}');
    let fits = story.clone().answered(0, 200, &body);
    assert!(fits.token(0).is_some(), "{:?}", fits.reason());
    assert!(fits.record.to_bytes().len() < 768 * 1024);

    let longer = body.replace(
        r#""access_token": ""#,
        &format!(r#""access_token": "{quotes}"#),
    );
    let mut refused = story.answered(0, 200, &longer);
    let message = &refused.record.setback.as_ref().unwrap().message;
    assert!(message.contains("more than 262144 bytes"), "{message}");
    refused.record.unread = None;
    assert!(refused.record.to_bytes().len() < 128 * 1024);
}

#[test]
fn a_refresh_token_that_no_server_would_take_is_none() {
    for odd in ["a\\u0001b".to_owned(), "a".repeat(32 * 1024 + 1)] {
        let body = format!(r#"{{"access_token": "t1", "refresh_token": "{odd}"}}"#);
        let story = rotating().answered(0, 200, &body);
        assert_eq!(
            (story.token(0), story.refresh_token()),
            (None, Some("seed"))
        );
        assert_eq!(story.step(1_000_000), STOPPED);
        // Where another can be had at any time it does no harm.
        let mut story = anew();
        story.terms.refreshes = true;
        let story = story.answered(0, 200, &body);
        assert_eq!((story.token(0), story.refresh_token()), (Some("t1"), None));
    }
}

#[test]
fn a_refresh_token_is_saved_from_an_answer_without_an_access_token() {
    let story = rotating().obtains(0, 3600, "t1", "r1");
    let story = story.answered(3540, 200, r#"{"refresh_token": "r2"}"#);
    assert_eq!(
        (story.refresh_token(), story.token(3540)),
        (Some("r2"), Some("t1"))
    );
    assert_eq!(story.record.intent, None);
    assert_eq!(story.step(3570), REFRESH);
}

#[test]
fn what_an_answer_does_not_repeat_is_known_from_an_earlier_one() {
    let mut story = rotating();
    story.terms.shape.capture.push(Capture {
        name: "realm".to_owned(),
        from: "realm".parse().unwrap(),
    });
    let none = story.clone().answered(0, 200, r#"{"access_token": "t1"}"#);
    assert_eq!(none.reason(), Some(SetbackReason::InvalidAnswer));
    let body = r#"{"access_token": "t1", "expires_in": 60, "realm": "x", "refresh_token": "r1"}"#;
    let story = story.answered(0, 200, body).obtains(30, 60, "t2", "r2");
    assert_eq!(
        story.record.held.as_ref().unwrap().captured["realm"].expose(),
        "x"
    );
    assert_eq!(story.token(31), Some("t2"));
}

#[test]
fn a_base_url_of_an_answer_that_nobody_allowed_makes_the_token_unusable() {
    let mut story = rotating();
    story.terms.shape.base_url = Some("instance_url".parse().unwrap());
    story.terms.base_url_allow = vec!["*.salesforce.com".parse().unwrap()];
    let body = |host: &str| {
        format!(
            r#"{{"access_token": "t1", "refresh_token": "r1", "instance_url": "https://{host}"}}"#
        )
    };
    let evil = story.clone().answered(0, 200, &body("evil.test"));
    assert_eq!((evil.token(0), evil.step(0)), (None, STOPPED));
    let message = &evil.record.setback.as_ref().unwrap().message;
    assert_eq!(*message, RefusedBaseUrl::Host.to_string());
    assert_eq!(evil.refresh_token(), Some("r1"));

    let story = story.answered(0, 200, &body("a.salesforce.com"));
    let held = story.record.held.as_ref().unwrap();
    let led = held.base_url(&story.terms).unwrap().unwrap();
    assert_eq!(led.to_string(), "https://a.salesforce.com");
    let mut narrowed = story.clone();
    narrowed.terms.base_url_allow.clear();
    assert_eq!((story.token(0), narrowed.token(0)), (Some("t1"), None));
}

#[test]
fn a_narrower_scope_than_asked_for_is_noticed() {
    let mut story = anew();
    story.terms.scopes = vec!["read".to_owned(), "write".to_owned()];
    let missing = |story: Story| story.record.held.unwrap().missing_scopes;
    let body = r#"{"access_token": "t1", "scope": "read"}"#;
    assert_eq!(missing(story.clone().answered(0, 200, body)), ["write"]);
    let silent = story.answered(0, 200, r#"{"access_token": "t1"}"#);
    assert_eq!(missing(silent), Vec::<String>::new());
}

#[test]
fn a_refresh_token_is_never_taken_for_one_of_another_grant() {
    let mut story = rotating().begins(0);
    story.arrives(Ask::Refresh, 0, 200, r#"{"refresh_token": "r1"}"#);
    let before = story.terms.clone();
    let mut story = story.seeded_anew();
    assert_eq!(story.step(1), Step::Read);
    story.record = story.record.reading(&story.terms, at(1));
    assert_eq!(story.refresh_token(), Some("seed2"));
    // The grant that it belongs to still has it.
    story.terms = before;
    assert_eq!(story.refresh_token(), Some("r1"));
}
