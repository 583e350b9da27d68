#![no_main]

//! Counts what is allocated as well: no file as small as these may take much.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use castline_fuzz::pictures::{picture, provenance};

/// Enough for the frame of a WebP that is as large as one can be, whatever its canvas says: the decoder makes
/// room for its light and colors before it finds that the two do not fit. A picture of a megapixel takes
/// less, in all the ways in which it is held at once.
const MOST: usize = 448 << 20;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it is the system's, and nothing is done with what that gives.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, there: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(there, layout) }
    }
}

fn count(bytes: usize) {
    PEAK.fetch_max(NOW.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

#[global_allocator]
static COUNTING: Counting = Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    picture(bytes);
    provenance(bytes);
    let taken = PEAK.load(Relaxed) - before;
    assert!(taken <= MOST, "{} MiB were allocated for {} bytes", taken >> 20, bytes.len());
});
