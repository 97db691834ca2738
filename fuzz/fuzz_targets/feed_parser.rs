#![no_main]

use libfuzzer_sys::fuzz_target;
use threatinsight_fuzz::checks;

fuzz_target!(|data: &[u8]| checks::feed_parser(data));
