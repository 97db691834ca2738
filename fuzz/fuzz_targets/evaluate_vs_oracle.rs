#![no_main]

use libfuzzer_sys::fuzz_target;
use threatinsight_fuzz::checks::{Question, evaluate_vs_oracle};
use threatinsight_fuzz::scenario::Scenario;

fuzz_target!(|scenario: Scenario| evaluate_vs_oracle(&Question::from(&scenario)));
