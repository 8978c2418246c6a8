//! Many at once, but not all at once.

use anyhow::Result;
use tokio::task::JoinSet;

/// Runs `task` for 0, 1 … `count` - 1, at most `at_once` of them at a time, and gathers what they
/// return, in the order of completion.
///
/// # Errors
/// The first error of a task; the others are dropped.
pub async fn gather<T, F>(count: usize, at_once: usize, task: impl Fn(usize) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut gathered = Vec::with_capacity(count);
    for index in 0..count {
        if running.len() >= at_once
            && let Some(done) = running.join_next().await
        {
            gathered.push(done??);
        }
        running.spawn(task(index));
    }
    while let Some(done) = running.join_next().await {
        gathered.push(done??);
    }
    Ok(gathered)
}

/// Runs `task` for all of these at the same time, and gathers what they return, in the order of
/// completion.
///
/// # Errors
/// The first error of a task; the others are dropped.
pub async fn at_once<A, T, F>(items: Vec<A>, task: impl Fn(A) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut running: JoinSet<Result<T>> = items.into_iter().map(task).collect();
    let mut gathered = Vec::with_capacity(running.len());
    while let Some(done) = running.join_next().await {
        gathered.push(done??);
    }
    Ok(gathered)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    #[tokio::test]
    async fn all_are_run_and_never_more_than_the_limit_at_once() {
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let task = |index: usize| {
            let (running, most) = (running.clone(), most.clone());
            async move {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::task::yield_now().await;
                running.fetch_sub(1, SeqCst);
                Ok(index)
            }
        };
        let mut gathered = gather(20, 3, task).await.expect("no task fails");
        gathered.sort_unstable();
        assert_eq!(gathered, (0..20).collect::<Vec<_>>());
        assert_eq!(most.load(SeqCst), 3);
    }

    #[tokio::test]
    async fn one_failure_fails_all() {
        let task = |index: usize| async move {
            anyhow::ensure!(index != 5, "five");
            Ok(())
        };
        assert_eq!(gather(20, 3, task).await.expect_err("five fails").to_string(), "five");
    }

    #[tokio::test]
    async fn at_once_all_are_begun_before_one_has_ended() {
        let all = Arc::new(tokio::sync::Barrier::new(5));
        let wait = |number: usize| {
            let all = all.clone();
            async move {
                all.wait().await;
                Ok(number)
            }
        };
        let mut gathered = at_once((0..5).collect(), wait).await.expect("no task fails");
        gathered.sort_unstable();
        assert_eq!(gathered, [0, 1, 2, 3, 4]);
    }
}
