//! Which tasks of libraries are measured on stable Tokio, as `docs/LIBRARIES.md` lists them. Under `--cfg tokio_unstable`, all are.
//!
//! Servers and clients have a runtime each, so that the alive tasks of a runtime are those of one side.

mod smol;

use std::convert::Infallible;
use std::future::{Future, IntoFuture};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use metrics_std::tokio::{MeasuredRuntime, Spawner, TokioAdapter};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tonic::codec::Streaming;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

fn runtime() -> MeasuredRuntime {
    let built = TokioAdapter::builder().build(Builder::new_multi_thread().worker_threads(1).enable_all());
    built.expect("the defaults work")
}

/// Waits for another thread.
#[track_caller]
fn until(mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came");
        thread::yield_now();
    }
}

/// Waits until this many tasks of a runtime are alive, `measured` of them measured on stable Tokio.
#[track_caller]
fn assert_alive(runtime: &MeasuredRuntime, alive: u64, measured: u64) {
    let measured = if cfg!(tokio_unstable) { alive } else { measured };
    let metrics = &runtime.metrics;
    until(|| (metrics.num_alive_tasks(), metrics.covered_tasks()) == (Some(alive), Some(measured)));
}

/// Starts a server, whose accept loop is a task of its own that is not measured.
fn start<F>(runtime: &MeasuredRuntime, server: impl FnOnce(TcpListener, Spawner) -> F) -> SocketAddr
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let listener = runtime
        .runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("no free port");
    let address = listener.local_addr().expect("it is bound");
    drop(runtime.runtime.spawn(server(listener, runtime.spawner.clone())));
    address
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

async fn answer(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new("hello".into()))
}

/// The endless streams of a client that watches the health of a server.
async fn watch(channel: Channel, streams: usize) -> Vec<Streaming<HealthCheckResponse>> {
    let mut client = HealthClient::new(channel);
    let mut open = Vec::new();
    for _ in 0..streams {
        let service = String::new();
        let mut stream = client
            .watch(HealthCheckRequest { service })
            .await
            .expect("it runs")
            .into_inner();
        stream.message().await.expect("it answers at once");
        open.push(stream);
    }
    open
}

fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("http://{address}")).expect("it is a URL")
}

#[test]
fn tonic_as_an_axum_router_is_measured() {
    let (server, client) = (runtime(), runtime());
    let address = start(&server, |listener, spawner| {
        let (_, health) = tonic_health::server::health_reporter();
        let routes = Routes::new(health).into_axum_router();
        metrics_std::axum::serve(listener, routes, &spawner).into_future()
    });
    let channel = client
        .runtime
        .block_on(endpoint(address).connect())
        .expect("it listens");
    let streams = client.runtime.block_on(watch(channel, 5));
    // The accept loop, the connection and a task per stream.
    assert_alive(&server, 1 + 6, 6);
    drop(streams);
}

#[test]
fn the_own_server_of_tonic_is_not_measured() {
    let (server, client) = (runtime(), runtime());
    let address = start(&server, |listener, _| {
        let (_, health) = tonic_health::server::health_reporter();
        let incoming = tonic::transport::server::TcpIncoming::from(listener);
        Server::builder()
            .add_service(health)
            .serve_with_incoming(incoming)
    });
    let channel = client
        .runtime
        .block_on(endpoint(address).connect())
        .expect("it listens");
    let streams = client.runtime.block_on(watch(channel, 5));
    assert_alive(&server, 1 + 6, 0);
    drop(streams);
}

#[test]
fn a_channel_of_tonic_is_measured_if_its_executor_is_the_spawner() {
    let (server, client) = (runtime(), runtime());
    let address = start(&server, |listener, spawner| {
        let (_, health) = tonic_health::server::health_reporter();
        metrics_std::axum::serve(listener, Routes::new(health).into_axum_router(), &spawner).into_future()
    });
    let measured = endpoint(address).executor(client.spawner.clone());
    let measured = client.runtime.block_on(measured.connect()).expect("it listens");
    let alive = client.metrics.num_alive_tasks().expect("Tokio counts them");
    assert!(alive > 0);
    assert_alive(&client, alive, alive);
    let bare = client
        .runtime
        .block_on(endpoint(address).connect())
        .expect("it listens");
    assert_alive(&client, 2 * alive, alive);
    drop((measured, bare));
}

#[test]
fn a_server_of_hyper_is_measured_if_its_executor_is_the_spawner() {
    let (server, client) = (runtime(), runtime());
    // The streams of HTTP/2 of a connection whose task is measured.
    let serve = |measured: bool| {
        start(&server, move |listener, spawner| async move {
            let (stream, _) = listener.accept().await.expect("it is bound");
            let io = TokioIo::new(stream);
            let service = service_fn(
                async |_: Request<Incoming>| -> Result<Response<String>, Infallible> {
                    std::future::pending().await
                },
            );
            if measured {
                let builder = auto::Builder::new(spawner.clone()).http2_only();
                spawner
                    .spawn(async move { builder.serve_connection(io, service).await.is_ok() })
                    .await
            } else {
                let builder = auto::Builder::new(TokioExecutor::new()).http2_only();
                spawner
                    .spawn(async move { builder.serve_connection(io, service).await.is_ok() })
                    .await
            }
        })
    };
    let ask = |address: SocketAddr| {
        client.runtime.spawn(async move {
            let client = Client::builder(TokioExecutor::new())
                .http2_only(true)
                .build_http::<Empty<Bytes>>();
            let uri = format!("http://{address}/").parse().expect("it is a URL");
            drop(client.get(uri).await);
        })
    };
    let first = ask(serve(true));
    // What accepts, the connection and a stream.
    assert_alive(&server, 3, 2);
    let second = ask(serve(false));
    assert_alive(&server, 6, 3);
    first.abort();
    second.abort();
}

#[test]
fn a_client_of_hyper_util_is_measured_if_its_executor_is_the_spawner() {
    let (server, client) = (runtime(), runtime());
    let address = start(&server, |listener, _| {
        axum::serve(listener, hello()).into_future()
    });
    let uri = || format!("http://{address}/").parse().expect("it is a URL");
    let get = async |request: hyper_util::client::legacy::ResponseFuture| {
        request
            .await
            .expect("it answers")
            .into_body()
            .collect()
            .await
            .expect("it is short")
    };
    let measured = Client::builder(client.spawner.clone()).build_http::<Empty<Bytes>>();
    client.runtime.block_on(get(measured.get(uri())));
    assert_alive(&client, 1, 1);
    let bare = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    client.runtime.block_on(get(bare.get(uri())));
    assert_alive(&client, 2, 1);
}

#[test]
fn a_connection_of_hyper_is_measured_if_its_user_spawns_it_measured() {
    let (server, client) = (runtime(), runtime());
    let address = start(&server, |listener, _| async move {
        let (stream, _) = listener.accept().await.expect("it is bound");
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        metrics_std::tokio::spawn(async { connection.await.is_ok() }).await
    });
    let sender = client.runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.expect("it listens");
        let handshake = hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream));
        let (sender, connection) = handshake.await.expect("it needs no answer");
        drop(metrics_std::tokio::spawn(connection));
        sender
    });
    assert_alive(&server, 2, 1);
    assert_alive(&client, 1, 1);
    drop(sender);
}

#[test]
fn reqwest_is_not_measured() {
    let (server, client) = (runtime(), runtime());
    let address = start(&server, |listener, _| {
        axum::serve(listener, hello()).into_future()
    });
    let reqwest = reqwest::Client::new();
    client.runtime.block_on(async {
        let answer = reqwest
            .get(format!("http://{address}/"))
            .send()
            .await
            .expect("it answers");
        assert_eq!(answer.text().await.expect("it is short"), "hello");
    });
    // The connection, and the task that closes idle ones.
    assert_alive(&client, 2, 0);
}

#[test]
fn the_pool_of_sqlx_is_not_measured() {
    let runtime = runtime();
    let pool = runtime.runtime.block_on(async {
        let options = sqlx::sqlite::SqlitePoolOptions::new().min_connections(1);
        let pool = options.connect("sqlite::memory:").await.expect("it is in memory");
        let one: i64 = sqlx::query_scalar("select 1")
            .fetch_one(&pool)
            .await
            .expect("it is valid");
        assert_eq!(one, 1);
        pool
    });
    // The task that maintains the pool.
    assert_alive(&runtime, 1, 0);
    // A query runs in the task that awaits it.
    let query = async move {
        sqlx::query_scalar::<_, i64>("select 1")
            .fetch_one(&pool)
            .await
            .is_ok()
    };
    assert!(
        runtime
            .runtime
            .block_on(runtime.spawner.spawn(query))
            .expect("it does not panic")
    );
    assert!(runtime.metrics.poll_count().expect("no writer is in the way") > Some(0));
}

#[test]
fn connections_of_axums_own_server_are_alive_and_busy_and_not_measured() {
    let (server, client) = (runtime_to_attach(), runtime());
    let attached = metrics_std::tokio::attach(server.handle()).expect("it is not measured yet");
    let listener = server
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("no free port");
    let address = listener.local_addr().expect("it is bound");
    const SPIN: Duration = Duration::from_millis(5);
    let spin = async || {
        let start = Instant::now();
        while start.elapsed() < SPIN {
            std::hint::spin_loop();
        }
        "hello"
    };
    drop(server.spawn(axum::serve(listener, Router::new().route("/", get(spin))).into_future()));
    let hyper = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    client.runtime.block_on(async {
        let uri = format!("http://{address}/").parse().expect("it is a URL");
        let body = hyper.get(uri).await.expect("it answers").into_body();
        body.collect().await.expect("it is short");
    });
    let metrics = &attached.metrics;
    until(|| (metrics.num_alive_tasks(), metrics.covered_tasks()) == (Some(2), Some(0)));
    until(|| metrics.busy_duration_total().expect("no writer is in the way") >= Some(SPIN));
}

fn runtime_to_attach() -> tokio::runtime::Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("Tokio builds a runtime")
}
