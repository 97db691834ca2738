"""Judges chains by a feed and a policy, through ctypes:

    python3 judge.py LIBRARY FEED POLICY CHAIN...
"""
import ctypes
import sys
import time
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint64, c_void_p

VERDICTS = {1: "allow", 2: "log", 3: "block"}


class Address(Structure):
    _fields_ = [("family", c_uint8), ("bytes", c_uint8 * 16)]


class Decision(Structure):
    _fields_ = [
        ("generation", c_uint64),
        ("client", Address),
        ("verdict", c_uint8),
        ("reason", c_uint8),
        ("level", c_uint8),
        ("patterns", c_uint8),
    ]


def load(path):
    library = ctypes.CDLL(path)
    for name, result, arguments in [
        ("ti_last_error", c_char_p, []),
        ("ti_inputs_new", c_void_p, []),
        ("ti_inputs_free", None, [c_void_p]),
        ("ti_inputs_feed_file", c_int, [c_void_p, c_char_p, c_char_p]),
        ("ti_inputs_policy_file", c_int, [c_void_p, c_char_p]),
        ("ti_engine_new", c_void_p, [c_void_p, c_uint64]),
        ("ti_engine_free", None, [c_void_p]),
        ("ti_evaluate_chain", c_int, [c_void_p, c_char_p, c_size_t, c_uint8, POINTER(Decision)]),
    ]:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def main(path, feed, policy, *chains):
    library = load(path)

    def done(status):
        if status != 0:
            raise SystemExit("judge.py: " + library.ti_last_error().decode())

    inputs = library.ti_inputs_new()
    done(library.ti_inputs_feed_file(inputs, b"feed", feed.encode()))
    done(library.ti_inputs_policy_file(inputs, policy.encode()))
    engine = library.ti_engine_new(inputs, int(time.time()))
    library.ti_inputs_free(inputs)
    done(0 if engine else 1)
    for chain in chains:
        decision, text = Decision(), chain.encode()
        done(library.ti_evaluate_chain(engine, text, len(text), 0, byref(decision)))
        print(VERDICTS[decision.verdict], chain)
    library.ti_engine_free(engine)


if __name__ == "__main__":
    main(*sys.argv[1:])
