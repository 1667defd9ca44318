//! Bytes in both directions, of a protocol that is not ours to understand.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::buffer::Side;
use crate::deadline::Deadline;

/// How a tunnel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Both sides have said all they had to say.
    InOrder,
    /// One side broke off, or both were silent for too long.
    Broken,
}

/// One direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Open,
    /// The end is to be passed on.
    Ending,
    Ended,
}

/// Passes on what each side says until both have ended, or nothing has been
/// said for so long. What is read is written before more is read, so that a
/// side that does not listen makes the other wait.
pub(crate) async fn run<A, B>(
    client: &mut Side<A>,
    server: &mut Side<B>,
    deadline: &mut Deadline,
    patience: Duration,
) -> Ended
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let (mut up, mut down) = (Way::Open, Way::Open);
    deadline.set(patience);
    poll_fn(|cx| {
        let mut moved = false;
        let up = poll_way(&mut up, client, server, &mut moved, cx);
        let down = poll_way(&mut down, server, client, &mut moved, cx);
        match (up, down) {
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => {
                return Poll::Ready(Ended::Broken);
            }
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(Ended::InOrder),
            (Poll::Pending, _) | (_, Poll::Pending) => {}
        }
        if moved {
            deadline.set(patience);
        }
        deadline.poll_passed(cx).map(|()| Ended::Broken)
    })
    .await
}

fn poll_way<A, B>(
    way: &mut Way,
    from: &mut Side<A>,
    to: &mut Side<B>,
    moved: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>>
where
    A: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match way {
            Way::Open => {
                let data = from.inbound.bytes();
                if !data.is_empty() || to.outbound.pending() > 0 {
                    let written = ready!(to.outbound.poll_write(data, &mut to.io, cx))?;
                    from.inbound.consume(written);
                    *moved = true;
                    continue;
                }
                to.outbound.release();
                ready!(Pin::new(&mut to.io).poll_flush(cx))?;
                match ready!(from.poll_fill(cx)) {
                    Ok(1..) => *moved = true,
                    Ok(0) => *way = Way::Ending,
                    // Many servers end without saying so to TLS; what is in the
                    // tunnel has an end of its own.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        *way = Way::Ending;
                    }
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            Way::Ending => {
                ready!(Pin::new(&mut to.io).poll_shutdown(cx))?;
                *moved = true;
                *way = Way::Ended;
            }
            Way::Ended => return Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Both ends of a tunnel whose buffers hold so much, and its task.
    fn tunnel(size: usize) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<Ended>) {
        let (client, near) = duplex(size);
        let (far, server) = duplex(size);
        let running = tokio::spawn(async move {
            let (mut near, mut far) = (Side::new(near), Side::new(far));
            near.outbound.room().extend_from_slice(b"head");
            let mut deadline = Deadline::after(PATIENCE);
            run(&mut near, &mut far, &mut deadline, PATIENCE).await
        });
        (client, server, running)
    }

    async fn read(from: &mut DuplexStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes).await.unwrap();
        bytes
    }

    #[tokio::test(start_paused = true)]
    async fn each_side_hears_the_other_and_the_head_first() {
        let (mut client, mut server, running) = tunnel(1024);
        server.write_all(b"one").await.unwrap();
        assert_eq!(read(&mut client, 7).await, b"headone");
        client.write_all(b"two").await.unwrap();
        assert_eq!(read(&mut server, 3).await, b"two");
        drop((client, server));
        running.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn one_side_may_end_long_before_the_other() {
        let (mut client, mut server, running) = tunnel(1024);
        client.write_all(b"last").await.unwrap();
        client.shutdown().await.unwrap();
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"last");
        server.write_all(b"answer").await.unwrap();
        assert_eq!(read(&mut client, 10).await, b"headanswer");
        server.shutdown().await.unwrap();
        assert_eq!(running.await.unwrap(), Ended::InOrder);
    }

    #[tokio::test(start_paused = true)]
    async fn a_side_that_does_not_listen_makes_the_other_wait() {
        let (mut client, server, _running) = tunnel(1024);
        let written = async {
            let mut written = 0;
            loop {
                written += client.write(&[b'x'; 1024]).await.unwrap();
                assert!(written < 64 * 1024, "it takes without end");
            }
        };
        let stuck = tokio::time::timeout(PATIENCE / 2, written).await;
        assert!(stuck.is_err());
        drop(server);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_of_both_ends_it() {
        let (mut client, _server, running) = tunnel(1024);
        let began = tokio::time::Instant::now();
        tokio::time::sleep(PATIENCE / 2).await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(running.await.unwrap(), Ended::Broken);
        assert_eq!(began.elapsed(), PATIENCE / 2 + PATIENCE);
    }
}
