//! Many addresses at once on processors with AVX2, which nearly all servers with `x86-64` have: the same steps, compiled
//! for it. All hits take 0.6 to 0.65 of the time of one by one, and as long without it. This is the only module of the
//! crate with `unsafe`, for a single call.
#![expect(unsafe_code, reason = "a call of what is compiled for AVX2")]

use std::arch::x86_64::{
    _mm_add_epi16, _mm_andnot_si128, _mm_cmpeq_epi16, _mm_movemask_epi8, _mm_set_epi16,
    _mm_set1_epi16, _mm_xor_si128,
};

use super::{Members4, line::Line};
use crate::list::lanes::Lanes;

/// Says in `listed` which addresses of `lanes` are listed, if the processor has AVX2; whether it has.
pub(super) fn search_each(members: &Members4, lanes: &Lanes<u32>, listed: &mut [bool]) -> bool {
    let has_avx2 = is_x86_feature_detected!("avx2");
    if has_avx2 {
        // SAFETY: AVX2 was just detected, and nothing else is asked of who calls this.
        unsafe { search_together(members, lanes, listed) };
    }
    has_avx2
}

#[target_feature(enable = "avx2")]
fn search_together(members: &Members4, lanes: &Lanes<u32>, listed: &mut [bool]) {
    members.search_together(lanes, listed, |bucket, cell| lists(bucket, cell));
}

/// What [`super::batch`] asks of a bucket, which the compiler takes apart, cell by cell, in a function as long as this
/// one becomes.
#[target_feature(enable = "avx2")]
#[inline]
fn lists(bucket: &Line, cell: u16) -> bool {
    let [a, b, c, d, e, f, g, h] = bucket.0.map(u16::cast_signed);
    let cells = _mm_set_epi16(h, g, f, e, d, c, b, a);
    let splat = |cell: u16| _mm_set1_epi16(cell.cast_signed());
    let open = _mm_xor_si128(cells, _mm_add_epi16(cells, splat(1)));
    let others = _mm_andnot_si128(open, _mm_xor_si128(cells, splat(cell)));
    let is_in = _mm_cmpeq_epi16(others, splat(0));
    let is_bitmap = _mm_cmpeq_epi16(open, splat(3));
    _mm_movemask_epi8(_mm_andnot_si128(is_bitmap, is_in)) != 0
}
