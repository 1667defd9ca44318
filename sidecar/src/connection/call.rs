//! A request that goes to a provider, and what the client hears of it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use tokio::time::Instant;

use super::again::Again;
use super::{Connection, Next};
use crate::authorized::{Authorized, Unfinished};
use crate::collect::{Uncollected, collect};
use crate::destination::Destination;
use crate::exchange::{Around, End, Exchange, Request};
use crate::http1::Framing;
use crate::line::Line;
use crate::metrics::Source;
use crate::problem::{AnswerForm, Problem};
use crate::slug::Slug;
use crate::tunnel;
use crate::upstream::{self, Upstream};

/// What became of a call.
struct Answer {
    /// None if there was no answer.
    status: Option<(u16, Source)>,
    next: Next,
}

impl Answer {
    fn count(&self, destination: &Destination, method: &str, began: Instant) {
        if let Some((status, source)) = self.status {
            let took = began.elapsed();
            destination.metrics.request(method, status, source, took);
        }
    }
}

impl<L: Line> Connection<L> {
    /// Reads the body that a credential is put in, and makes the call.
    pub(super) async fn collect(&mut self, unfinished: Unfinished, mut request: Request) -> Next {
        let began = Instant::now();
        let destination = Arc::clone(unfinished.destination());
        let mut form = answer_form(&request);
        let patience = destination.route.timeouts.idle;
        let budget = &self.shared.bodies;
        let body = collect(
            &mut self.client,
            &request,
            &mut self.deadline,
            patience,
            budget,
        );
        let problem = match body.await {
            Ok(body) => {
                form.close = request.close;
                let (body, _counted) = body.into_parts();
                request.replay = (request.replay).and_then(|replay| replay.with_body(&body));
                match unfinished.finish(body) {
                    Ok(authorized) => {
                        let request = Request {
                            framing: Framing::None,
                            ..request
                        };
                        return self.call(authorized, request, began).await;
                    }
                    Err(problem) => problem,
                }
            }
            Err(Uncollected::Refused(problem)) => problem,
            Err(Uncollected::Gone) => return Next::Close,
        };
        let answer = self.failed(&problem, &destination, form).await;
        answer.count(&destination, request.method, began);
        answer.next
    }

    /// Has the provider answer, and counts it.
    pub(super) async fn call(
        &mut self,
        authorized: Authorized,
        request: Request,
        began: Instant,
    ) -> Next {
        let destination = Arc::clone(authorized.destination());
        let method = request.method;
        let form = answer_form(&request);
        self.answering = true;
        let answer = match self
            .exchange(authorized, request, &destination, began)
            .await
        {
            Ok(answer) => answer,
            Err(problem) => self.failed(&problem, &destination, form).await,
        };
        self.answering = matches!(answer.next, Next::Cut);
        answer.count(&destination, method, began);
        answer.next
    }

    /// Tells the caller why there is no answer.
    async fn failed(
        &mut self,
        problem: &Problem,
        destination: &Destination,
        form: AnswerForm,
    ) -> Answer {
        if problem.slug == Slug::ClientCertificateRejected {
            destination.standing.certificate_refused();
        }
        let problem = problem.clone().of(&destination.collection);
        problem.write(form, self.client.outbound.room());
        Answer {
            status: Some((problem.slug.code(), Source::Sidecar)),
            next: self.flushed(form.close).await,
        }
    }

    /// A connection, and whether the provider may have closed it meanwhile.
    pub(super) async fn connect(
        upstream: &Upstream,
        upgrades: bool,
    ) -> Result<(upstream::Connection, bool), Problem> {
        let pooled = match upgrades {
            true => None,
            false => poll_fn(|cx| Poll::Ready(upstream.reuse(cx))).await,
        };
        let reused = pooled.is_some();
        let connection = match pooled {
            Some(connection) => connection,
            // On the heap, as all that is rare: it would be the better part of
            // what each connection takes, also while it is idle.
            None if upgrades => Box::pin(upstream.connect_http1()).await?,
            None => Box::pin(upstream.connect()).await?,
        };
        let reused = reused || connection.is_stream();
        Ok((connection, reused))
    }

    async fn exchange(
        &mut self,
        authorized: Authorized,
        request: Request,
        destination: &Destination,
        began: Instant,
    ) -> Result<Answer, Problem> {
        let upgrades = request.upgrade.is_some();
        let (connection, reused) = Self::connect(&destination.upstream, upgrades).await?;
        let mut exchange = Exchange::new(connection.send(authorized), request, reused);
        let mut newer = None;
        loop {
            let destination = newer.as_deref().unwrap_or(destination);
            let upstream = &destination.upstream;
            let around = Around {
                client: &mut self.client,
                destination,
                entrance: &self.entrance,
                host: Some(&*self.host).filter(|host| !host.is_empty()),
                deadline: &mut self.deadline,
                bodies: &self.shared.bodies,
            };
            match exchange.run(around).await {
                End::Whole {
                    status,
                    keep_client,
                    connection,
                } => {
                    if let Some(connection) = connection {
                        upstream.keep(connection);
                    }
                    return Ok(Answer {
                        status: Some((status, Source::Upstream)),
                        next: match keep_client {
                            true => Next::Again,
                            false => Next::Linger,
                        },
                    });
                }
                End::Switched(mut active) => {
                    let took = began.elapsed();
                    let counters = &destination.metrics;
                    counters.request("GET", 101, Source::Upstream, took);
                    let patience = destination.route.timeouts.idle;
                    let (client, deadline) = (&mut self.client, &mut self.deadline);
                    let ended = tunnel::run(client, active.side(), deadline, patience).await;
                    return Ok(Answer {
                        // It was counted when it was given.
                        status: None,
                        next: match ended {
                            tunnel::Ended::InOrder => Next::Close,
                            tunnel::Ended::Broken => Next::Cut,
                        },
                    });
                }
                End::Broken(status) => {
                    return Ok(Answer {
                        status: status.map(|status| (status, Source::Upstream)),
                        next: Next::Cut,
                    });
                }
                End::Failed(problem) => return Err(problem),
                End::Refused(refused) => match Box::pin(self.again(*refused, destination)).await {
                    Again::Passed(passed) => exchange = passed,
                    Again::Sent(again, to) => {
                        exchange = again;
                        newer = Some(to);
                    }
                },
                End::Stale(stale) => {
                    let connection = Box::pin(upstream.connect()).await?;
                    exchange = stale.retry_on(connection).ok_or_else(|| {
                        Problem::new(
                            Slug::UpstreamUnreachable,
                            "The API closed the connection before it answered, and too much of the request was sent to send it again.",
                        )
                    })?;
                }
            }
        }
    }
}

/// How a request is answered whose body may not have been read.
fn answer_form(request: &Request) -> AnswerForm {
    AnswerForm {
        to_head: request.to_head,
        version: request.version,
        close: request.close || request.framing != Framing::None,
    }
}
