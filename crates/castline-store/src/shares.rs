//! Work on many things, shared among the processors.

use std::num::NonZero;
use std::sync::LazyLock;
use std::thread;

/// More threads than that wait for each other.
const MOST: usize = 16;

/// Asking the system reads several files.
static PROCESSORS: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get).min(MOST));

/// Has a share of `items` worked on by each processor, and puts the results together in their
/// order. A share of fewer than `least` is not worth a thread.
pub fn in_shares<T: Sync, R: Send>(
    items: &[T],
    least: usize,
    work: impl Fn(&[T]) -> Vec<R> + Sync,
) -> Vec<R> {
    let worth = items.len() / least.max(1);
    if worth < 2 || *PROCESSORS < 2 {
        return work(items);
    }
    let threads = worth.min(*PROCESSORS);
    thread::scope(|scope| {
        let mut shares = items.chunks(items.len().div_ceil(threads));
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|share| scope.spawn(|| work(share))).collect();
        let mut results = work(own);
        for other in others {
            results.extend(other.join().expect("a panic ends the process"));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::in_shares;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..1_000).collect();
        for least in [1, 7, 999, 5_000] {
            let squares = in_shares(&items, least, |share| share.iter().map(|n| n * n).collect());
            assert_eq!(squares, items.iter().map(|n| n * n).collect::<Vec<_>>());
        }
        assert_eq!(in_shares(&[0; 0], 1, <[u32]>::to_vec), [0; 0]);
    }
}
