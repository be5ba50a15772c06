//! What happens to a notification? Its whole way, in the order of the lines.
//!
//! [`Edge::answer`] times, counts and answers once; [`Edge::take`] is the way itself and just uses `?`.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use postern_core::cloud_event;
use postern_core::delivery::{Delivery, Rejection, Route};
use postern_core::provider::microsoft::handshake::{self, Handshake};
use postern_core::publish::{Publish, PublishError};
use postern_core::trust::Trust;
use tokio::time::Instant;

use crate::admission::Admission;
use crate::aside::{Judged, in_time, kept, undecided};
use crate::authenticate::Pubsub;
use crate::budget::QuarantineBudget;
use crate::config::Config;
use crate::metrics::{Metrics, Outcome};
use crate::phase::{ActiveRequest, Life, Phase};
use crate::refusal::Refusal;
use crate::respond::{self, Answer, HUNG_UP, Taken};
use crate::route::{Endpoint, Label, Routes};
use crate::timer::ConnectionTimer;
use crate::{body, clock};

/// The edge: everything that a request meets, shared by all connections.
#[derive(Debug)]
pub struct Edge<P> {
    pub(crate) config: Config,
    routes: Routes,
    pubsub: Pubsub,
    pub(crate) trust: ArcSwap<Trust>,
    admission: Admission,
    pub(crate) budget: QuarantineBudget,
    pub(crate) publisher: P,
    pub(crate) metrics: Metrics,
    pub(crate) life: Life,
}

impl<P: Publish> Edge<P> {
    /// Puts an edge together; its routes are those that `trust` and the sources of `pubsub` can verify now.
    #[must_use]
    pub fn new(
        config: Config,
        trust: Trust,
        pubsub: Pubsub,
        publisher: P,
        metrics: Metrics,
        life: Life,
    ) -> Arc<Self> {
        Arc::new(Self {
            routes: Routes::of(&trust, pubsub.sources().to_vec()),
            pubsub,
            trust: ArcSwap::from_pointee(trust),
            admission: Admission::new(config.inflight_bytes),
            budget: QuarantineBudget::new(config.quarantine_records, config.quarantine_bytes),
            config,
            publisher,
            metrics,
            life,
        })
    }

    /// Answers one request: in time, counted once, whatever happens.
    pub async fn answer(&self, request: Request<Incoming>, timer: &ConnectionTimer) -> Answer {
        let counted = Counted::start(self, request.uri().path());
        let mut unread = !request.body().is_end_stream();
        let outcome = self.take(request, timer, counted.arrived, &mut unread).await;
        // hyper ends a connection whose body nobody read; the answer says so, and no byte of it is taken for a request.
        let closing = unread || self.life.phase() >= Phase::Draining;
        self.told(counted, outcome, closing)
    }

    /// Answers a request on a connection for which there is no room.
    pub fn turn_away(&self, request: &Request<Incoming>) -> Answer {
        let counted = Counted::start(self, request.uri().path());
        self.told(counted, Err(Refusal::Overloaded), true)
    }

    fn told(&self, counted: Counted<'_>, outcome: Result<Taken, Refusal>, closing: bool) -> Answer {
        if let Err(refusal) = outcome {
            self.metrics.refused(refusal);
            tracing::debug!(reason = refusal.reason(), route = counted.label.as_str(), "refused");
        }
        let answer = respond::answer(outcome, closing);
        counted.end(answer.status().as_u16());
        answer
    }

    /// The way of a notification: route, prove the caller or answer its handshake, body, verify, normalize, publish.
    async fn take(
        &self,
        request: Request<Incoming>,
        timer: &ConnectionTimer,
        arrived: Instant,
        unread: &mut bool,
    ) -> Result<Taken, Refusal> {
        let received = clock::now();
        let (head, mut body) = request.into_parts();
        let endpoint = self.routes.admit(&head)?;
        let limit = self.body_limit(&endpoint);
        let fits = body::check_length(&body, limit);
        let publish_by = arrived + self.config.publish_deadline();
        match &endpoint {
            Endpoint::Graph { .. } => {
                fits?;
                match handshake::read(head.uri.query()) {
                    Handshake::Echo(token) => return Ok(Taken::Echo(token)),
                    Handshake::Refused => return Err(Refusal::Unreadable),
                    Handshake::Absent => {}
                }
            }
            Endpoint::Pubsub(source) => {
                self.pubsub.authenticate(&head.headers, source, received, publish_by).await?;
            }
            Endpoint::Channel(_) => fits?,
        }

        let mut permit = self.admission.permit();
        let body_by = arrived + self.config.body_deadline;
        let read = match fits {
            Ok(()) => body::read(&mut body, limit, body_by, &mut permit).await,
            Err(refusal) => Err(refusal),
        };
        let bytes = match (read, &endpoint) {
            (Err(Refusal::TooLarge), Endpoint::Pubsub(source)) => {
                // The caller is genuine and would push it again for days: what there is of it is kept aside.
                self.set_aside(&head, source, &body, received, timer, publish_by).await?;
                tokio::spawn(body::discard(body, body_by));
                return Ok(Taken::Google);
            }
            (read, _) => read?,
        };
        *unread = false;

        let delivery = Delivery {
            route: delivery_route(&endpoint, &head.headers),
            body: &bytes,
            traceparent: traceparent(&head.headers),
            received,
            max_items: self.config.items,
        };
        let trust = self.trust.load_full();
        let verified = delivery.verify(&trust).map_err(|rejection| match rejection {
            Rejection::Unreadable => Refusal::Unreadable,
            Rejection::TooManyItems => Refusal::TooLarge,
        })?;

        // The producer is being emptied: nothing more is handed to it. Asked last, as all other answers need no Kafka.
        if self.life.phase() >= Phase::Flushing {
            self.metrics.items(verified.service(), Outcome::Failed, verified.total());
            return Err(Refusal::Draining);
        }

        let kept = kept(&endpoint, &head);
        let judged =
            Judged { trust: &trust, delivery: &delivery, verified: &verified, kept: &kept, timer };
        self.hand_over(&judged, publish_by).await?;
        Ok(match endpoint {
            Endpoint::Graph { .. } => Taken::Graph,
            Endpoint::Pubsub(_) | Endpoint::Channel(_) => Taken::Google,
        })
    }

    /// Makes a judged delivery durable: what is genuine decides, the rest is quarantined as far as the budget goes.
    async fn hand_over(&self, judged: &Judged<'_>, deadline: Instant) -> Result<(), Refusal> {
        let service = judged.verified.service();
        let (batch, too_large) = judged.verified.normalize(&self.config.form);
        let mut untrusted = judged.verified.untrusted().to_vec();
        untrusted.extend_from_slice(&too_large);
        untrusted.sort_unstable_by_key(|item| item.index);
        let genuine = judged.verified.genuine() - too_large.len();
        let denied = judged.verified.denied();
        self.metrics.items(service, Outcome::Denied, denied);
        // Durable in quarantine or not answered 2xx: what is all that a delivery holds, and what is genuine.
        let mut owed = !too_large.is_empty() || (genuine == 0 && denied == 0);

        if genuine > 0 {
            let publish = self.publisher.publish(&batch, deadline.into_std());
            match in_time(judged.timer, deadline, publish).await {
                Ok(durable) => self.metrics.items(service, Outcome::of(durable), genuine),
                Err(PublishError::RecordRefused) => {
                    // Sending again would not help: what Kafka will not take is kept aside, with all the rest.
                    untrusted = judged.refused(&untrusted);
                    owed = true;
                }
                Err(error) => {
                    self.metrics.items(service, Outcome::Failed, genuine + untrusted.len());
                    return Err(undecided(error));
                }
            }
        }
        if untrusted.is_empty() {
            return Ok(());
        }
        if owed {
            return self.quarantine(judged, &untrusted, deadline).await;
        }
        self.quarantine_beside(judged, &untrusted);
        Ok(())
    }

    /// Swaps keys, secrets and deny rules; requests under way keep what they began with.
    pub fn set_trust(&self, trust: Trust) {
        self.trust.store(Arc::new(trust));
    }

    /// Keys, secrets and deny rules as they are now.
    #[must_use]
    pub fn trust(&self) -> Arc<Trust> {
        self.trust.load_full()
    }

    /// The routes that exist.
    #[must_use]
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// The edge's counters, for the listener and the admin server.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The limits.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The phase of its life.
    #[must_use]
    pub fn life(&self) -> &Life {
        &self.life
    }

    /// What makes records durable.
    #[must_use]
    pub fn publisher(&self) -> &P {
        &self.publisher
    }

    /// Brings computed gauges up to date.
    pub fn refresh_metrics(&self) {
        self.metrics.refresh(self.admission.used(), self.pubsub.keys_age());
    }

    fn body_limit(&self, endpoint: &Endpoint<'_>) -> usize {
        match endpoint {
            Endpoint::Graph { .. } => self.config.graph_body,
            Endpoint::Pubsub(_) | Endpoint::Channel(_) => self.config.google_body,
        }
    }
}

/// What of a request the core judges.
fn delivery_route<'a>(endpoint: &'a Endpoint<'a>, headers: &'a HeaderMap) -> Route<'a> {
    match endpoint {
        Endpoint::Graph { tenant } => {
            Route::Graph { tenant: tenant.as_ref().map(|t| t.as_deref()) }
        }
        Endpoint::Pubsub(source) => Route::Pubsub { source, headers },
        Endpoint::Channel(service) => Route::Channel { service: *service, headers },
    }
}

/// The one valid `traceparent` of a request.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all("traceparent").iter();
    match (values.next(), values.next()) {
        (Some(one), None) => cloud_event::traceparent(one.as_bytes()),
        _ => None,
    }
}

/// Counts a request once, also where its caller hangs up and its future is dropped.
struct Counted<'e> {
    metrics: &'e Metrics,
    label: Label,
    arrived: Instant,
    status: u16,
    _active: ActiveRequest,
}

impl<'e> Counted<'e> {
    fn start<P: Publish>(edge: &'e Edge<P>, path: &str) -> Self {
        Self {
            metrics: &edge.metrics,
            label: edge.routes.label(path),
            arrived: Instant::now(),
            status: HUNG_UP,
            _active: edge.life.request(),
        }
    }

    fn end(mut self, status: u16) {
        self.status = status;
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics.request(self.label, self.status, self.arrived.elapsed());
    }
}
