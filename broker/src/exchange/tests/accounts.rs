//! Tokens of ServiceAccounts that are exchanged.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use credence_core::token::Failure;

use super::*;

/// A cluster that says this, and remembers what it was asked for.
struct Cluster {
    refuses: Option<NotIssued>,
    asked: Mutex<Vec<AccountToken>>,
    issued: AtomicUsize,
}

impl Cluster {
    fn that(refuses: Option<NotIssued>) -> Arc<Self> {
        Arc::new(Self {
            refuses,
            asked: Mutex::default(),
            issued: AtomicUsize::default(),
        })
    }

    fn asked(&self) -> Vec<AccountToken> {
        self.asked.lock().unwrap().clone()
    }
}

impl AccountTokens for Arc<Cluster> {
    async fn issue(&self, token: &AccountToken) -> Result<Secret, NotIssued> {
        self.asked.lock().unwrap().push(token.clone());
        match &self.refuses {
            Some(refusal) => Err(refusal.clone()),
            None => {
                let number = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
                Ok(Secret::new(format!("acc0unt-{number}")))
            }
        }
    }
}

/// One that never answers.
struct Silent;

impl AccountTokens for Silent {
    async fn issue(&self, _: &AccountToken) -> Result<Secret, NotIssued> {
        std::future::pending().await
    }
}

fn account() -> AccountToken {
    AccountToken {
        namespace: "shop".to_owned(),
        name: "reporter".to_owned(),
        audience: "https://sts.example.com".to_owned(),
        lifetime: Duration::from_secs(600),
    }
}

fn exchanging(url: &str) -> Order {
    let subject = LateText::of(LateVariable::SubjectToken);
    let field = ("subject_token".to_owned(), FieldValue::Text(subject));
    let mut order = order(url);
    order.request.as_mut().unwrap().content = Content::Fields(FieldFormat::Form, vec![field]);
    order.subject = Some(account());
    order
}

fn body(request: &str) -> &str {
    request.split_once("\r\n\r\n").unwrap().1
}

#[tokio::test]
async fn each_request_exchanges_a_token_that_was_issued_for_it() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let cluster = Cluster::that(None);
    let exchange = exchange().with_accounts(Arc::clone(&cluster));
    let order = exchanging(&endpoint.url("/"));
    for _ in 0..2 {
        exchange.send(&order, Asking::Anew, now()).await.unwrap();
    }
    let heard = endpoint.heard().await;
    let bodies: Vec<_> = heard.iter().map(|request| body(request)).collect();
    assert_eq!(
        bodies,
        ["subject_token=acc0unt-1", "subject_token=acc0unt-2"]
    );
    assert_eq!(cluster.asked(), [account(), account()]);
}

#[tokio::test]
async fn a_token_that_is_not_exchanged_is_not_issued() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let cluster = Cluster::that(None);
    let exchange = exchange().with_accounts(Arc::clone(&cluster));
    let token = Secret::new("r3fresh");
    let order = exchanging(&endpoint.url("/"));
    let sent = exchange.send(&order, Asking::Refresh(&token), now()).await;
    sent.unwrap();
    assert_eq!(
        body(&endpoint.heard().await[0]),
        "grant_type=refresh_token&refresh_token=r3fresh"
    );
    assert_eq!(cluster.asked(), []);
    let without = super::order(&endpoint.url("/"));
    exchange.send(&without, Asking::Anew, now()).await.unwrap();
    assert_eq!(cluster.asked(), []);
}

/// What to do is said, and who could be meant; nobody is asked for anything.
#[tokio::test]
async fn without_the_token_nothing_is_sent_and_the_setback_says_what_to_do() {
    for (refusal, advice) in [
        (
            NotIssued::Forbidden,
            "the operator may not ask for it: name it in the chart's value serviceAccountTokens",
        ),
        (
            NotIssued::Absent,
            "there is no such ServiceAccount: create it, or change serviceAccountToken.name",
        ),
        (
            NotIssued::Refused(422),
            "the API server refuses it with status 422: check serviceAccountToken.audience and \
             expirationSeconds",
        ),
        (
            NotIssued::ForTheCluster,
            "the API server itself accepts tokens for that audience, so that nobody else may see \
             one: write the audience that the token endpoint demands into \
             serviceAccountToken.audience",
        ),
        (NotIssued::NoAnswer, "the API server gave no answer"),
    ] {
        let endpoint = Endpoint::answering(ANSWER).await;
        let exchange = exchange().with_accounts(Cluster::that(Some(refusal)));
        let order = exchanging(&endpoint.url("/"));
        let unanswered = exchange.ask(&order, Asking::Anew, now()).await.unwrap_err();
        let failure = Failure::from(unanswered);
        assert_eq!(
            failure.to_string(),
            format!(
                "a token of ServiceAccount \"reporter\" of namespace \"shop\" for the audience \
                 \"https://sts.example.com\" cannot be had: {advice}"
            )
        );
        assert!(matches!(failure, Failure::NoSubject(_)));
        assert_eq!(endpoint.heard().await, [""; 0]);
    }
}

#[tokio::test]
async fn an_api_server_that_never_answers_is_given_up() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let exchange = impatient().with_accounts(Silent);
    let order = exchanging(&endpoint.url("/"));
    let error = exchange
        .send(&order, Asking::Anew, now())
        .await
        .unwrap_err();
    assert!(
        error.to_string().ends_with("the API server gave no answer"),
        "{error}"
    );
    assert_eq!(endpoint.heard().await, [""; 0]);
}

#[tokio::test]
async fn where_there_is_no_cluster_nothing_is_sent_either() {
    let endpoint = Endpoint::answering(ANSWER).await;
    let order = exchanging(&endpoint.url("/"));
    let error = asked(&exchange(), &order).await.unwrap_err();
    assert!(
        error.to_string().ends_with("there is no cluster here"),
        "{error}"
    );
    assert_eq!(endpoint.heard().await, [""; 0]);
}
