use super::*;

#[test]
fn steps_and_a_refresh_request_arrive_with_what_they_take_from_the_token_request() {
    let object = custom(&json!({
        "url": "${step.login.server}/token",
        "urlAllow": ["*.example.com"],
        "params": {"session": "${step.login.session}"},
        "headers": [{"name": "X-Tenant", "value": "${values.tenant}"}],
        "steps": [
            {"name": "login", "url": "https://login.example.com/", "params": {"user": "<user>x"},
             "capture": [{"name": "server", "path": "server"}, {"name": "session", "path": "cookie:sid"}],
             "success": {"path": "ok", "equals": "true"}},
        ],
        "refresh": {"url": "https://auth.example.com/renew", "params": {"again": "${refreshToken}"},
                    "response": {"accessTokenPath": "t"}},
    }));
    let method = read(&object);
    let [step] = method.steps.as_slice() else {
        panic!("{:?}", method.steps);
    };
    assert_eq!((step.name.as_str(), step.capture.len()), ("login", 2));
    assert_eq!(step.request.grant_type, None);
    assert!(matches!(
        step.request.content,
        ContentSettings::Fields(FieldFormat::Json)
    ));
    assert!(step.success.is_some());
    assert_eq!(method.request.url_allow.len(), 1);
    let refresh = method.refresh.unwrap();
    assert_eq!(
        refresh.request.url.to_string(),
        "https://auth.example.com/renew"
    );
    assert_eq!(refresh.request.headers.len(), 1);
    assert_eq!(refresh.request.params.len(), 1);
    assert_eq!(refresh.response.unwrap().access_token.as_str(), "t");
}

#[test]
fn what_a_step_does_not_give_yet_is_refused_with_what_to_write() {
    let step = |name: &str, url: &str| json!({"name": name, "url": url, "capture": [{"name": "id", "path": "id"}]});
    let later = [
        step("a", "https://a.example.com/${step.b.id}"),
        step("b", URL),
    ];
    for (token, field, problem) in [
        (
            json!({"steps": later}),
            "token.steps[0].url",
            "no step before this request has that name",
        ),
        (
            json!({"steps": [step("a", URL)], "params": {"x": "${step.a.key}"}}),
            "token.params.x",
            "add {name: key, path: …} to its capture",
        ),
        (
            json!({"steps": [step("a", URL)], "url": "${step.a.id}/token"}),
            "token.urlAllow",
            "is required where url begins with",
        ),
        (
            json!({"steps": [step("a", URL)], "url": "https://${step.a.id}.example.com/token"}),
            "token.urlAllow",
            "is required where url begins with",
        ),
        (
            json!({"urlAllow": ["a.example.com"]}),
            "token.urlAllow",
            "is used only where url begins with",
        ),
        (
            json!({"steps": [step("a", URL), step("a", URL)]}),
            "token.steps[1].name",
            "is there already",
        ),
        (
            json!({"params": {"x": "${refreshToken}"}}),
            "token.params.x",
            "it can be used in token.refresh",
        ),
        (
            json!({"refresh": {"url": "https://auth.example.com/again"}}),
            "token.refresh",
            "does not send the refresh token",
        ),
    ] {
        let problems = problems(&custom(&token));
        let at = format!("spec.auth.oauth2CustomToken.{field}: ");
        let found = |text: &String| text.starts_with(&at) && text.contains(problem);
        assert!(problems.iter().any(found), "{token}: {problems:?}");
    }
    let mut elsewhere = custom(&json!({"steps": [step("a", URL)]}));
    elsewhere["headers"] = json!([{"name": "X-Id", "value": "${step.a.id}"}]);
    let problems = problems(&elsewhere);
    let expected = "spec.headers[0].value: must not refer to ${step.a.id}: it can be used in requests for a token";
    assert_eq!(problems, [expected]);
}
