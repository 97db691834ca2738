// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef THREATINSIGHT_H
#define THREATINSIGHT_H

// Written by cbindgen from the sources of threatinsight-capi; change those.

#include <stddef.h>
#include <stdint.h>

// Done.
#define TI_OK 0

// A pointer that is null, or a number that is out of range: the caller's defect.
#define TI_MISUSED 1

// A feed, a policy or a file was refused; what is served has not changed.
#define TI_REFUSED 2

// The library's defect; what is served has not changed.
#define TI_PANICKED 3

// Let the request through; no event.
#define TI_VERDICT_ALLOW 1

// Let it through and write one event.
#define TI_VERDICT_LOG 2

// Refuse it and write one event.
#define TI_VERDICT_BLOCK 3

// The client, and every blocklisted hop, is in the exempt zone.
#define TI_REASON_EXEMPT 1

// A hop of the chain is in a blocklist zone.
#define TI_REASON_BLOCKLISTED 2

// The hop that would be the client does not parse.
#define TI_REASON_UNKNOWN_CLIENT 3

// The action is `none`.
#define TI_REASON_DISABLED 4

// No live entry that covers this kind of request covers the client.
#define TI_REASON_NOT_LISTED 5

// The client is listed and the chain is inside an excluded zone.
#define TI_REASON_EXCLUDED 6

// The client is listed.
#define TI_REASON_LISTED 7

// A reason newer than this header.
#define TI_REASON_OTHER 255

// The client is not listed.
#define TI_LEVEL_NONE 0

// Worth watching.
#define TI_LEVEL_LOW 1

// Repeatedly seen in attacks.
#define TI_LEVEL_MEDIUM 2

// Attacking now.
#define TI_LEVEL_HIGH 3

// One password tried against many accounts.
#define TI_PATTERN_PASSWORD_SPRAY 1

// Many failed sign-ins.
#define TI_PATTERN_LOGIN_FAILURES 2

// Sign-ins to accounts that do not exist.
#define TI_PATTERN_UNKNOWN_USERS 4

// Known for abuse elsewhere.
#define TI_PATTERN_NEGATIVE_IP_REPUTATION 8

// A sign-in or another credential check: every entry covers it.
#define TI_KIND_AUTHENTICATION 0

// Any other request.
#define TI_KIND_OTHER 1

// The lines are of `X-Forwarded-For`, or of a header that is written like it.
#define TI_SYNTAX_X_FORWARDED_FOR 0

// The lines are of `Forwarded` (RFC 7239).
#define TI_SYNTAX_FORWARDED 1

// One line is the whole chain, hops between commas, the peer last; `peer` is not read.
#define TI_SYNTAX_CHAIN 2

// No address.
#define TI_FAMILY_NONE 0

// IPv4, in the first four bytes.
#define TI_FAMILY_IPV4 4

// IPv6.
#define TI_FAMILY_IPV6 6

// Refuse reserved space and prefixes shorter than /8 (IPv4) or /19 (IPv6).
#define TI_ADMISSION_GUARDED 0

// Take every prefix.
#define TI_ADMISSION_OPEN 1

// The expiry of an entry that has none.
#define TI_NEVER UINT64_MAX

// What is served. For any number of threads at once.
typedef struct ti_engine ti_engine;

// Feeds and a policy, collected before they are compiled. For one thread at a time.
typedef struct ti_inputs ti_inputs;

// An address, or none.
typedef struct ti_address {
  // `TI_FAMILY_NONE`, `TI_FAMILY_IPV4` or `TI_FAMILY_IPV6`.
  uint8_t family;
  // The address in network order; of IPv4 the first four.
  uint8_t bytes[16];
} ti_address;

// A text of known length; it needs no NUL.
typedef struct ti_text {
  // The first byte; anything when `length` is 0.
  const char *data;
  // How many bytes there are.
  size_t length;
} ti_text;

// A request: the connection's peer, and the header lines that name the hops before it.
//
// For a client that the gateway has already resolved: `peer` alone, and no lines.
typedef struct ti_request {
  // The address that opened the connection, or none, as on a Unix socket.
  struct ti_address peer;
  // `TI_KIND_AUTHENTICATION` or `TI_KIND_OTHER`.
  uint8_t kind;
  // `TI_SYNTAX_X_FORWARDED_FOR`, `TI_SYNTAX_FORWARDED` or `TI_SYNTAX_CHAIN`.
  uint8_t syntax;
  // The lines, in the order they came, each on its own: a repeated header has several.
  const struct ti_text *lines;
  // How many lines there are.
  size_t line_count;
} ti_request;

// What was decided about a request.
typedef struct ti_decision {
  // The generation of what was served: one more with every swap.
  uint64_t generation;
  // Who the client is, canonical; none when unknown.
  struct ti_address client;
  // `TI_VERDICT_ALLOW`, `TI_VERDICT_LOG` or `TI_VERDICT_BLOCK`; 0 when nothing was decided.
  uint8_t verdict;
  // Why: a `TI_REASON_`.
  uint8_t reason;
  // The highest level of the entries that list the client: a `TI_LEVEL_`.
  uint8_t level;
  // The patterns of those entries: a sum of `TI_PATTERN_`.
  uint8_t patterns;
} ti_decision;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Compiles the inputs, with the entries that live at `now`, in seconds since the Unix epoch.
// Null when they do not compile; `ti_last_error` says why.
//
// # Safety
//
// `inputs` comes from `ti_inputs_new`.
struct ti_engine *ti_engine_new(const struct ti_inputs *inputs, uint64_t now);

// Frees the engine. Null is nothing to free.
//
// # Safety
//
// `engine` is null, or comes from `ti_engine_new`, and no thread uses it now or again.
void ti_engine_free(struct ti_engine *engine);

// How often something was swapped, from 1; 0 when `engine` is null.
//
// # Safety
//
// `engine` comes from `ti_engine_new`.
uint64_t ti_engine_generation(const struct ti_engine *engine);

// Serves the inputs in place of everything that was served. What starts to be judged after this
// returns is judged by them.
//
// # Safety
//
// `engine` comes from `ti_engine_new`, `inputs` from `ti_inputs_new`.
int ti_engine_swap(const struct ti_engine *engine, const struct ti_inputs *inputs, uint64_t now);

// Serves the inputs' feeds under the policy that is served.
//
// # Safety
//
// `engine` comes from `ti_engine_new`, `inputs` from `ti_inputs_new`.
int ti_engine_swap_list(const struct ti_engine *engine,
                        const struct ti_inputs *inputs,
                        uint64_t now);

// Serves the inputs' policy with the list that is served; the inputs' feeds are not read.
//
// # Safety
//
// `engine` comes from `ti_engine_new`, `inputs` from `ti_inputs_new`.
int ti_engine_swap_policy(const struct ti_engine *engine, const struct ti_inputs *inputs);

// Judges a request. On failure the decision's verdict is 0.
//
// # Safety
//
// `engine` comes from `ti_engine_new`; `request` and `decision` point to one each; `lines` has
// `line_count` texts and each of them `length` bytes.
int ti_evaluate(const struct ti_engine *engine,
                const struct ti_request *request,
                struct ti_decision *decision);

// Judges a chain, hops between commas, the client's side first and the peer last. On failure the
// decision's verdict is 0.
//
// # Safety
//
// `engine` comes from `ti_engine_new`; `chain` has `length` bytes; `decision` points to one.
int ti_evaluate_chain(const struct ti_engine *engine,
                      const char *chain,
                      size_t length,
                      uint8_t kind,
                      struct ti_decision *decision);

// Judges a client by its address, of 4 or 16 bytes in network order: a peer that sent no header,
// or a client that the gateway has already resolved. On failure the decision's verdict is 0.
//
// # Safety
//
// `engine` comes from `ti_engine_new`; `address` has `length` bytes; `decision` points to one.
int ti_evaluate_address(const struct ti_engine *engine,
                        const uint8_t *address,
                        size_t length,
                        uint8_t kind,
                        struct ti_decision *decision);

// Judges many clients by one and the same generation, each as `ti_evaluate_address` does; an
// address of family none is an unknown client. On failure every decision's verdict is 0.
//
// # Safety
//
// `engine` comes from `ti_engine_new`; `addresses` and `decisions` have `count` values each
// and do not overlap.
int ti_evaluate_many(const struct ti_engine *engine,
                     const struct ti_address *addresses,
                     size_t count,
                     uint8_t kind,
                     struct ti_decision *decisions);

// Explains the verdict on a request, to the last prefix, as JSON into `json`; to be freed with
// `ti_string_free`. On failure `json` is null.
//
// # Safety
//
// `engine` comes from `ti_engine_new`; `request` is as for `ti_evaluate`; `json` points to one
// pointer.
int ti_explain(const struct ti_engine *engine, const struct ti_request *request, char **json);

// Frees a text that `ti_explain` made. Null is nothing to free.
//
// # Safety
//
// `text` is null, or comes from `ti_explain`, was not changed in length, and is not used again.
void ti_string_free(char *text);

// The text of the last failure on this thread; empty when there was none. Never null. It stays
// as it is until the next failure on this thread.
const char *ti_last_error(void);

// Inputs without feeds and policy; null only after a panic.
struct ti_inputs *ti_inputs_new(void);

// Frees the inputs. Null is nothing to free.
//
// # Safety
//
// `inputs` is null, or comes from `ti_inputs_new` and is not used again.
void ti_inputs_free(struct ti_inputs *inputs);

// Which prefixes the feeds read from now on may hold: a `TI_ADMISSION_`. Guarded without it.
//
// # Safety
//
// `inputs` comes from `ti_inputs_new`.
int ti_inputs_admission(struct ti_inputs *inputs, uint8_t admission);

// Reads a feed from a file in one of the text formats: an address, prefix or range a line.
//
// # Safety
//
// `inputs` comes from `ti_inputs_new`; `name` and `path` end in NUL.
int ti_inputs_feed_file(struct ti_inputs *inputs, const char *name, const char *path);

// Reads a feed from memory, as `ti_inputs_feed_file` does from a file.
//
// # Safety
//
// `inputs` comes from `ti_inputs_new`; `name` ends in NUL; `text` has `length` bytes.
int ti_inputs_feed_text(struct ti_inputs *inputs,
                        const char *name,
                        const char *text,
                        size_t length);

// Adds one entry, as it is, to the feed of this name, which it makes if need be.
//
// `prefix` is an address or a prefix; `level` a `TI_LEVEL_`, `patterns` a sum of `TI_PATTERN_`;
// `expires` in seconds since the Unix epoch, or `TI_NEVER`.
//
// # Safety
//
// `inputs` comes from `ti_inputs_new`; `feed` and `prefix` end in NUL.
int ti_inputs_entry(struct ti_inputs *inputs,
                    const char *feed,
                    const char *prefix,
                    uint8_t level,
                    uint8_t patterns,
                    uint64_t expires);

// The line that was rejected at `index`, from 0, with the reason; null when there are no more.
// It stays until the inputs are freed or read another feed.
//
// # Safety
//
// `inputs` comes from `ti_inputs_new`.
const char *ti_inputs_rejected(const struct ti_inputs *inputs, size_t index);

// Reads the policy from a JSON file, in place of any before it.
//
// # Safety
//
// `inputs` comes from `ti_inputs_new`; `path` ends in NUL.
int ti_inputs_policy_file(struct ti_inputs *inputs, const char *path);

// Reads the policy from JSON in memory, in place of any before it.
//
// # Safety
//
// `inputs` comes from `ti_inputs_new`; `text` has `length` bytes.
int ti_inputs_policy_text(struct ti_inputs *inputs, const char *text, size_t length);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* THREATINSIGHT_H */
