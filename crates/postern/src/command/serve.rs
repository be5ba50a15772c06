//! How does the edge run: `postern serve`?

use std::net::SocketAddr;

use crate::allocator;
use crate::config::mode::Mode;
use crate::config::{self, Serve, Source};
use crate::embedded::EmbeddedEdge;
use crate::exit::Exit;
use crate::output::{self, OutputError};
use crate::running::{Running, check_topics};
use crate::signals;
use crate::telemetry::LogFormat;

/// Receives, verifies, normalizes and publishes.
///
/// Without any configuration and on loopback it runs on an embedded Kafka that keeps everything in memory only.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  postern serve                                 embedded Kafka, nothing is durable\n  \
                        postern serve --config /etc/postern.toml\n  \
                        postern serve --public 127.0.0.1:0 --log json  any free port; the ready line says which"
)]
pub(crate) struct Args {
    /// Where providers post [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub(crate) public: Option<SocketAddr>,

    /// Where /livez, /readyz, /metrics and /status are [default: 127.0.0.1:9464].
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin: Option<SocketAddr>,

    /// Form of the log [default: text on a terminal, JSON in a pipe].
    #[arg(long, value_name = "FORM")]
    pub(crate) log: Option<LogFormat>,
}

/// Runs until a signal ends it.
pub(crate) fn run(args: &Args, source: Source) -> anyhow::Result<Exit> {
    allocator::limit();
    let source = source.with_listeners(args.public, args.admin);
    let json = args.log == Some(LogFormat::Json);
    let runtime = tokio::runtime::Runtime::new()?;
    let exit = match Mode::of(&source) {
        Mode::Embedded { public, admin } => runtime.block_on(embedded(public, admin, json)),
        Mode::Configured => runtime.block_on(configured(config::for_serve(&source)?, json)),
    };
    // What still runs are idle connections and a topic check that nobody waits for.
    runtime.shutdown_background();
    exit
}

async fn embedded(public: SocketAddr, admin: SocketAddr, json: bool) -> anyhow::Result<Exit> {
    let told = signals::told_to_stop()?;
    let edge = EmbeddedEdge::start(public, admin).await?;
    output::note(edge.banner("serve"));
    until_told(told, &edge.running, json).await;
    edge.stop().await;
    Ok(Exit::Done)
}

async fn configured(serve: Serve, json: bool) -> anyhow::Result<Exit> {
    if serve.trust.ring().is_none() {
        tracing::warn!(
            "no key ring (hook_tokens): quarantined deliveries are recorded without their bodies, as nothing can seal them"
        );
    }
    let kafka = serve.kafka.clone();
    let told = signals::told_to_stop()?;
    let running = Running::start(serve)?;
    check_topics(&running, kafka);
    until_told(told, &running, json).await;
    running.stop().await;
    Ok(Exit::Done)
}

/// Turns ready, says so, and runs until a signal.
async fn until_told(told: impl Future<Output = ()>, running: &Running, json: bool) {
    let mut told = std::pin::pin!(told);
    let ready = async {
        running.ready().await;
        if let Err(error) = announce(running, json) {
            tracing::warn!(error = %error, "the ready line could not be printed");
        }
    };
    tokio::select! {
        biased;
        () = &mut told => {}
        () = ready => told.await,
    }
}

/// The one line on standard output.
fn announce(running: &Running, json: bool) -> Result<(), OutputError> {
    let Running { public, admin, kafka, .. } = running;
    let routes = running.routes();
    if json {
        return output::line(serde_json::json!({
            "event": "ready", "public": public, "admin": admin, "kafka": kafka, "routes": routes,
        }));
    }
    let routes = routes.join(" ");
    output::line(format_args!(
        "ready: public {public}, admin {admin}, kafka {kafka}, routes {routes}"
    ))
}
