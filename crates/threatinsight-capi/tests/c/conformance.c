/* Judges the cases that come on standard input, one field a line, and writes what was decided.
 *
 *   policy HEX | feed HEX | prefix HEX | level N | patterns N | expires N | entry
 *   now N | kind N | syntax N | peer HEX | line HEX | judge
 *
 * `entry` adds what was said since the last one; `judge` ends a case. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <threatinsight.h>

#define MANY 64

static void stop(const char *what) {
    fprintf(stderr, "%s: %s\n", what, ti_last_error());
    exit(1);
}

/* A text of its own size, so that a byte read beyond it is seen. */
static ti_text bytes_of(const char *hex) {
    size_t length = strlen(hex) / 2;
    char *data = malloc(length + 1);
    for (size_t i = 0; i < length; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
            stop("not hexadecimal");
        data[i] = (char)byte;
    }
    data[length] = '\0';
    return (ti_text){data, length};
}

static void forget(ti_text text) { free((char *)(uintptr_t)text.data); }

static ti_address address_of(ti_text bytes) {
    ti_address address = {TI_FAMILY_NONE, {0}};
    if (bytes.length == 4)
        address.family = TI_FAMILY_IPV4;
    if (bytes.length == 16)
        address.family = TI_FAMILY_IPV6;
    if (bytes.length != 0)
        memcpy(address.bytes, bytes.data, bytes.length);
    return address;
}

static void judge(const ti_inputs *inputs, uint64_t now, const ti_request *request) {
    ti_engine *engine = ti_engine_new(inputs, now);
    if (engine == NULL)
        stop("compile");
    ti_decision decision, again;
    if (ti_evaluate(engine, request, &decision) != TI_OK)
        stop("evaluate");
    if (request->syntax == TI_SYNTAX_CHAIN) {
        const ti_text *chain = request->lines;
        if (ti_evaluate_chain(engine, chain->data, chain->length, request->kind, &again) != TI_OK)
            stop("evaluate the chain");
        if (memcmp(&again.client, &decision.client, sizeof again.client) != 0 ||
            again.verdict != decision.verdict || again.reason != decision.reason)
            stop("two verdicts on one chain");
    }
    char *json;
    if (ti_explain(engine, request, &json) != TI_OK)
        stop("explain");
    printf("%u %u %u %u %u ", decision.verdict, decision.reason, decision.level, decision.patterns,
           decision.client.family);
    for (size_t i = 0; i < sizeof decision.client.bytes; i++)
        printf("%02x", decision.client.bytes[i]);
    printf(" %s\n", json);
    ti_string_free(json);
    ti_engine_free(engine);
}

int main(void) {
    static char field[1 << 20];
    ti_inputs *inputs = ti_inputs_new();
    ti_text lines[MANY], feed = {NULL, 0}, prefix = {NULL, 0};
    ti_request request = {.lines = lines};
    unsigned level = 0, patterns = 0;
    uint64_t expires = TI_NEVER, now = 0;
    while (fgets(field, sizeof field, stdin) != NULL) {
        field[strcspn(field, "\n")] = '\0';
        char *value = field + strcspn(field, " ");
        if (*value == ' ')
            *value++ = '\0';
        if (strcmp(field, "policy") == 0) {
            ti_text policy = bytes_of(value);
            if (ti_inputs_policy_text(inputs, policy.data, policy.length) != TI_OK)
                stop("policy");
            forget(policy);
        } else if (strcmp(field, "feed") == 0) {
            feed = bytes_of(value);
        } else if (strcmp(field, "prefix") == 0) {
            prefix = bytes_of(value);
        } else if (strcmp(field, "level") == 0) {
            level = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(field, "patterns") == 0) {
            patterns = (unsigned)strtoul(value, NULL, 10);
        } else if (strcmp(field, "expires") == 0) {
            expires = strtoull(value, NULL, 10);
        } else if (strcmp(field, "entry") == 0) {
            if (ti_inputs_entry(inputs, feed.data, prefix.data, (uint8_t)level, (uint8_t)patterns,
                                expires) != TI_OK)
                stop("entry");
            forget(feed);
            forget(prefix);
        } else if (strcmp(field, "now") == 0) {
            now = strtoull(value, NULL, 10);
        } else if (strcmp(field, "kind") == 0) {
            request.kind = (uint8_t)strtoul(value, NULL, 10);
        } else if (strcmp(field, "syntax") == 0) {
            request.syntax = (uint8_t)strtoul(value, NULL, 10);
        } else if (strcmp(field, "peer") == 0) {
            ti_text peer = bytes_of(value);
            request.peer = address_of(peer);
            forget(peer);
        } else if (strcmp(field, "line") == 0) {
            if (request.line_count == MANY)
                stop("too many lines");
            lines[request.line_count++] = bytes_of(value);
        } else if (strcmp(field, "judge") == 0) {
            judge(inputs, now, &request);
            while (request.line_count > 0)
                forget(lines[--request.line_count]);
            ti_inputs_free(inputs);
            inputs = ti_inputs_new();
        } else {
            stop(field);
        }
    }
    ti_inputs_free(inputs);
    return 0;
}
