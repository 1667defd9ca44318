//! How a client proves who it is.

use super::*;

/// The vector of a client library whose users met a strict server, and the
/// same client where both parts are sent as they are.
#[test]
fn both_parts_of_basic_are_form_encoded_first_unless_it_is_raw() {
    let id = "1PpG/Q 1";
    let secret_text = "z/tZ9VwFZqApmIQ+ZH1I5pLk/uB4ud:X2/8bL+wfFTt1rFw=";
    for (authentication, expected) in [
        (
            ClientAuthentication::Basic,
            "Basic MVBwRyUyRlErMTp6JTJGdFo5VndGWnFBcG1JUSUyQlpIMUk1cExrJTJGdUI0dWQlM0FYMiUyRjhiTCUyQndmRlR0MXJGdyUzRA==",
        ),
        (
            ClientAuthentication::BasicRaw,
            "Basic MVBwRy9RIDE6ei90WjlWd0ZacUFwbUlRK1pIMUk1cExrL3VCNHVkOlgyLzhiTCt3ZkZUdDFyRnc9",
        ),
    ] {
        let method = TokenMethod {
            client: Some(client(authentication)),
            ..token_method(Flow::ClientCredentials)
        };
        let held = secret(&[("id", id), ("secret", secret_text)]);
        let resolved = in_development(&with_token(method), &with_dev(held)).unwrap();
        let message = message(asked(&resolved.order.unwrap()));
        assert_eq!(header(&message, "Authorization").as_deref(), Some(expected));
        assert_eq!(body(&message), Some("grant_type=client_credentials"));
    }
}

#[test]
fn a_client_can_say_who_it_is_in_the_body() {
    for (authentication, expected) in [
        (
            ClientAuthentication::Body,
            "grant_type=client_credentials&app_id=client-1&app_secret=cl13nt+s3cret",
        ),
        (
            ClientAuthentication::None,
            "grant_type=client_credentials&app_id=client-1",
        ),
    ] {
        let method = TokenMethod {
            client: Some(Client {
                id_field: "app_id".to_owned(),
                secret_field: "app_secret".to_owned(),
                ..client(authentication)
            }),
            ..token_method(Flow::ClientCredentials)
        };
        let message = message(asked(&order(method)));
        assert_eq!(body(&message), Some(expected));
        assert_eq!(header(&message, "Authorization"), None);
    }
}

/// Providers that want it in the head want it there each time.
#[test]
fn a_client_says_who_it_is_with_each_refresh_as_it_did_before() {
    for (authentication, in_head, in_body) in [
        (ClientAuthentication::Basic, true, 0),
        (ClientAuthentication::BasicRaw, true, 0),
        (ClientAuthentication::Body, false, 2),
        (ClientAuthentication::None, false, 1),
    ] {
        let method = TokenMethod {
            client: Some(client(authentication)),
            ..token_method(password())
        };
        let order = order(method);
        let request = message(asked(&order));
        let refresh = message(order.refresh.as_ref().unwrap());
        let head = header(&refresh, "Authorization");
        assert_eq!(head, header(&request, "Authorization"));
        assert_eq!(head.is_some(), in_head, "{authentication:?}");
        let fields = |message: &Message| {
            let fields = body(message).unwrap().split('&');
            let fields = fields.filter(|field| field.starts_with("client_"));
            fields.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(fields(&refresh), fields(&request));
        assert_eq!(fields(&refresh).len(), in_body, "{authentication:?}");
    }
}
