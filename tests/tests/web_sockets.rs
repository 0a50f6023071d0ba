//! Web sockets of axum: the task that uses the upgraded connection is measured if the handler wraps it.

use core::net::SocketAddr;
use core::time::Duration;

use axum::Router;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::routing::get;
use futures::{SinkExt as _, StreamExt as _};
use metrics_std::RuntimeMetrics;
use metrics_std::tokio::{MeasuredRuntime, TokioAdapter};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio_tungstenite::tungstenite::Message;

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            break;
        }
    }
}

const MESSAGES: u64 = 20;

/// The numbers of polls and of tasks that were spawned, once all workers have submitted.
fn counts(metrics: &RuntimeMetrics) -> (u64, u64) {
    metrics_std::flush(metrics, Duration::from_secs(20)).expect("no poll lasts so long");
    let polls = metrics.poll_count().expect("one load per worker");
    (
        polls.expect("it is counted"),
        metrics.spawned_tasks_count().expect("it is counted"),
    )
}

/// Exchanges messages with a handler. Returns how many polls and spawned tasks they add after the handshake.
async fn talk(metrics: &RuntimeMetrics, address: SocketAddr, path: &str) -> (u64, u64) {
    let (_, spawned) = counts(metrics);
    let connecting = tokio_tungstenite::connect_async(format!("ws://{address}/{path}"));
    let (mut client, _) = connecting.await.expect("the server upgrades");
    // After the first answer, the connection's own task has ended.
    client.send("first".into()).await.expect("the server reads");
    client
        .next()
        .await
        .expect("an answer")
        .expect("the server answers");
    let (before, _) = counts(metrics);
    for number in 0..MESSAGES {
        let message = Message::text(number.to_string());
        client.send(message.clone()).await.expect("the server reads");
        let answer = client
            .next()
            .await
            .expect("an answer")
            .expect("the server answers");
        assert_eq!(answer, message);
    }
    let (after, tasks) = counts(metrics);
    client.close(None).await.expect("the server reads");
    (after - before, tasks - spawned)
}

#[test]
fn a_wrapped_web_socket_is_a_measured_task() {
    let mut builder = Builder::new_multi_thread();
    let built = TokioAdapter::builder().build(builder.worker_threads(2).enable_all());
    let MeasuredRuntime {
        runtime,
        metrics,
        spawner,
    } = built.expect("the defaults work");
    let listener = runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let measure = spawner.clone();
    let app = Router::new()
        .route(
            "/wrapped",
            get(async move |upgrade: WebSocketUpgrade| {
                upgrade.on_upgrade(move |socket| measure.measure(echo(socket)))
            }),
        )
        .route(
            "/bare",
            get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)),
        );
    drop(spawner.spawn(metrics_std::axum::serve(listener, app, &spawner).into_future()));

    // The client's own runtime is not measured.
    let client = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("no limit is reached");
    let (polls, spawned) = client.block_on(talk(&metrics, address, "wrapped"));
    assert!(polls >= MESSAGES, "{polls} polls for {MESSAGES} messages");
    assert_eq!(spawned, 2, "the connection and the upgraded one");

    let (polls, spawned) = client.block_on(talk(&metrics, address, "bare"));
    assert_eq!(spawned, 1, "axum spawns the other with `tokio::spawn`");
    if cfg!(tokio_unstable) {
        assert!(polls >= MESSAGES, "{polls} polls for {MESSAGES} messages");
    } else {
        // Polls of other measured tasks may be among them, such as one of the accept loop.
        assert!(polls < MESSAGES, "{polls} polls for {MESSAGES} messages");
    }
    drop(runtime);
    // The server, two connections, and the upgraded connection that was wrapped.
    let tasks = metrics.tasks().expect("they are counted");
    assert_eq!((tasks.spawned, tasks.alive()), (4, 0));
}
