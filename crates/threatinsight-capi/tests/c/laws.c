/* What holds for every caller: misuse is told, a refused input changes nothing, threads may judge
 * while others swap. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <threatinsight.h>

#define HOLDS(law)                                                                                 \
    do {                                                                                           \
        if (!(law)) {                                                                              \
            fprintf(stderr, "line %d: %s; last error: %s\n", __LINE__, #law, ti_last_error());     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define LENGTH(text) text, strlen(text)

static const uint8_t LISTED[4] = {203, 0, 113, 7};
static const uint8_t UNLISTED[4] = {198, 51, 100, 7};
static const char BLOCK[] = "{\"action\": \"block\"}";
static const char AUDIT[] = "{\"action\": \"audit\"}";

static ti_inputs *inputs_of(const char *policy, const char *feed) {
    ti_inputs *inputs = ti_inputs_new();
    HOLDS(inputs != NULL);
    if (policy != NULL)
        HOLDS(ti_inputs_policy_text(inputs, LENGTH(policy)) == TI_OK);
    if (feed != NULL)
        HOLDS(ti_inputs_feed_text(inputs, "scanners", LENGTH(feed)) == TI_OK);
    return inputs;
}

static uint8_t verdict(const ti_engine *engine, const uint8_t *address) {
    ti_decision decision;
    HOLDS(ti_evaluate_address(engine, address, 4, TI_KIND_AUTHENTICATION, &decision) == TI_OK);
    return decision.verdict;
}

static int says(const char *part) { return strstr(ti_last_error(), part) != NULL; }

static void misuse_is_told(ti_engine *engine) {
    ti_decision decision;
    char *json = (char *)1;
    ti_text line = {NULL, 3};
    ti_request request = {.lines = &line, .line_count = 1};

    HOLDS(ti_evaluate(NULL, &request, &decision) == TI_MISUSED && says("`engine` is null"));
    HOLDS(decision.verdict == 0);
    HOLDS(ti_evaluate(engine, NULL, &decision) == TI_MISUSED && says("`request` is null"));
    HOLDS(ti_evaluate(engine, &request, NULL) == TI_MISUSED && says("`decision` is null"));
    memset(&decision, 0xff, sizeof decision);
    HOLDS(ti_evaluate(engine, &request, &decision) == TI_MISUSED && says("`data` is null"));
    HOLDS(decision.verdict == 0);
    line = (ti_text){"203.0.113.7", (size_t)-1};
    HOLDS(ti_evaluate(engine, &request, &decision) == TI_MISUSED && says("memory"));
    request = (ti_request){.syntax = 9};
    HOLDS(ti_evaluate(engine, &request, &decision) == TI_MISUSED && says("`syntax` is 9"));
    request = (ti_request){.kind = 9};
    HOLDS(ti_evaluate(engine, &request, &decision) == TI_MISUSED && says("`kind` is 9"));
    request = (ti_request){.peer = {5, {0}}};
    HOLDS(ti_evaluate(engine, &request, &decision) == TI_MISUSED && says("`family` is 5"));
    request = (ti_request){.syntax = TI_SYNTAX_CHAIN};
    HOLDS(ti_evaluate(engine, &request, &decision) == TI_MISUSED && says("expected 1, the chain"));
    HOLDS(ti_explain(engine, &request, &json) == TI_MISUSED && json == NULL);
    HOLDS(ti_explain(engine, &request, NULL) == TI_MISUSED);
    HOLDS(ti_evaluate_chain(engine, NULL, 5, 0, &decision) == TI_MISUSED && decision.verdict == 0);
    HOLDS(ti_evaluate_address(engine, LISTED, 5, 0, &decision) == TI_MISUSED && says("4 or 16"));
    HOLDS(ti_engine_new(NULL, 0) == NULL && says("`inputs` is null"));
    HOLDS(ti_engine_swap(engine, NULL, 0) == TI_MISUSED);
    HOLDS(ti_engine_generation(NULL) == 0);
    HOLDS(ti_inputs_rejected(NULL, 0) == NULL);
    ti_inputs_free(NULL);
    ti_engine_free(NULL);
    ti_string_free(NULL);

    ti_inputs *inputs = ti_inputs_new();
    HOLDS(ti_inputs_admission(inputs, 7) == TI_MISUSED && says("`admission` is 7"));
    HOLDS(ti_inputs_feed_text(inputs, NULL, "", 0) == TI_MISUSED && says("`name` is null"));
    HOLDS(ti_inputs_feed_text(inputs, "\xff", "", 0) == TI_MISUSED && says("not UTF-8"));
    HOLDS(ti_inputs_entry(inputs, "a", "203.0.113.7", 0, 8, TI_NEVER) == TI_MISUSED);
    HOLDS(ti_inputs_entry(inputs, "a", "203.0.113.7", TI_LEVEL_LOW, 16, 0) == TI_MISUSED);
    ti_inputs_free(inputs);
}

static void what_does_not_fit_is_no_client(const ti_engine *engine) {
    ti_decision decision;
    ti_request request = {.peer = {TI_FAMILY_NONE, {0}}};
    HOLDS(ti_evaluate(engine, &request, &decision) == TI_OK);
    HOLDS(decision.verdict == TI_VERDICT_LOG && decision.reason == TI_REASON_UNKNOWN_CLIENT);
    HOLDS(decision.client.family == TI_FAMILY_NONE);
    HOLDS(ti_evaluate_chain(engine, LENGTH("\xff\xfe, \x01"), 0, &decision) == TI_OK);
    HOLDS(decision.reason == TI_REASON_UNKNOWN_CLIENT);
    HOLDS(ti_evaluate_chain(engine, NULL, 0, 0, &decision) == TI_OK);
    HOLDS(decision.reason == TI_REASON_UNKNOWN_CLIENT);
}

static void a_refused_input_changes_nothing(ti_engine *engine) {
    uint64_t generation = ti_engine_generation(engine);
    ti_inputs *inputs = ti_inputs_new();
    HOLDS(ti_engine_swap(engine, inputs, 0) == TI_REFUSED && says("no policy"));
    HOLDS(ti_engine_swap_policy(engine, inputs) == TI_REFUSED && says("no policy"));
    HOLDS(ti_inputs_policy_text(inputs, LENGTH("{\"action\": \"deny\"}")) == TI_REFUSED);
    HOLDS(ti_inputs_policy_file(inputs, "/nowhere/policy.json") == TI_REFUSED && says("/nowhere"));
    HOLDS(ti_inputs_feed_file(inputs, "a", "/nowhere/a.txt") == TI_REFUSED && says("/nowhere"));
    HOLDS(ti_inputs_feed_text(inputs, "a", LENGTH("<html>")) == TI_REFUSED && says("a: "));
    HOLDS(ti_inputs_entry(inputs, "a", "203.0.113.0/33", 1, 8, 0) == TI_REFUSED && says("/33"));
    const char unknown[] = "{\"action\": \"none\", \"excludeZones\": [\"nzo1\"]}";
    HOLDS(ti_inputs_policy_text(inputs, LENGTH(unknown)) == TI_OK);
    HOLDS(ti_engine_swap_policy(engine, inputs) == TI_REFUSED && says("nzo1"));
    HOLDS(ti_engine_new(inputs, 0) == NULL && says("nzo1"));
    HOLDS(ti_engine_generation(engine) == generation);
    HOLDS(verdict(engine, LISTED) == TI_VERDICT_BLOCK);
    ti_inputs_free(inputs);
}

static void rejected_lines_are_named(void) {
    ti_inputs *inputs = inputs_of(BLOCK, "203.0.113.0/24\nnot-an-address\n10.0.0.0/8\n");
    HOLDS(strstr(ti_inputs_rejected(inputs, 0), "scanners: line 2: ") != NULL);
    HOLDS(strstr(ti_inputs_rejected(inputs, 1), "reserved") != NULL);
    HOLDS(ti_inputs_rejected(inputs, 2) == NULL);
    HOLDS(ti_inputs_admission(inputs, TI_ADMISSION_OPEN) == TI_OK);
    HOLDS(ti_inputs_feed_text(inputs, "open", LENGTH("10.0.0.0/8\n")) == TI_OK);
    HOLDS(ti_inputs_rejected(inputs, 2) == NULL);
    ti_inputs_free(inputs);
}

static void a_policy_replaces_zones_and_what_names_them_at_once(void) {
    const char office[] = "{\"action\": \"block\", \"excludeZones\": [\"a\"], \"zones\": [{\"type\": \"IP\","
                          "\"id\": \"a\", \"name\": \"office\", \"gateways\": [{\"type\": \"CIDR\","
                          "\"value\": \"203.0.113.0/28\"}]}]}";
    const char home[] = "{\"action\": \"block\", \"excludeZones\": [\"b\"], \"zones\": [{\"type\": \"IP\","
                        "\"id\": \"b\", \"name\": \"home\", \"gateways\": []}]}";
    ti_inputs *first = inputs_of(office, "203.0.113.0/24\n"), *second = inputs_of(home, NULL);
    ti_engine *engine = ti_engine_new(first, 0);
    HOLDS(verdict(engine, LISTED) == TI_VERDICT_ALLOW);
    HOLDS(ti_engine_swap_policy(engine, second) == TI_OK);
    HOLDS(verdict(engine, LISTED) == TI_VERDICT_BLOCK);
    HOLDS(ti_engine_swap_policy(engine, first) == TI_OK);
    HOLDS(verdict(engine, LISTED) == TI_VERDICT_ALLOW);
    HOLDS(ti_engine_generation(engine) == 3);
    ti_engine_free(engine);
    ti_inputs_free(first);
    ti_inputs_free(second);
}

static void entries_expire_with_the_moment_of_compiling(void) {
    ti_inputs *inputs = inputs_of(BLOCK, NULL);
    HOLDS(ti_inputs_entry(inputs, "a", "203.0.113.0/24", TI_LEVEL_LOW, TI_PATTERN_LOGIN_FAILURES,
                          1000) == TI_OK);
    ti_engine *engine = ti_engine_new(inputs, 999);
    ti_decision decision;
    HOLDS(ti_evaluate_address(engine, LISTED, 4, TI_KIND_AUTHENTICATION, &decision) == TI_OK);
    HOLDS(decision.verdict == TI_VERDICT_BLOCK && decision.level == TI_LEVEL_LOW);
    HOLDS(decision.patterns == TI_PATTERN_LOGIN_FAILURES);
    HOLDS(ti_evaluate_address(engine, LISTED, 4, TI_KIND_OTHER, &decision) == TI_OK);
    HOLDS(decision.verdict == TI_VERDICT_ALLOW && decision.reason == TI_REASON_NOT_LISTED);
    HOLDS(ti_engine_swap_list(engine, inputs, 1000) == TI_OK);
    HOLDS(verdict(engine, LISTED) == TI_VERDICT_ALLOW);
    ti_engine_free(engine);
    ti_inputs_free(inputs);
}

static void many_are_judged_by_one_generation(const ti_engine *engine) {
    enum { MANY = 100000 };
    ti_address *addresses = calloc(MANY, sizeof *addresses);
    ti_decision *decisions = malloc(MANY * sizeof *decisions);
    for (int i = 0; i < MANY; i++) {
        addresses[i].family = i % 3 == 2 ? TI_FAMILY_NONE : TI_FAMILY_IPV4;
        memcpy(addresses[i].bytes, i % 3 == 1 ? UNLISTED : LISTED, 4);
    }
    HOLDS(ti_evaluate_many(engine, addresses, MANY, TI_KIND_AUTHENTICATION, decisions) == TI_OK);
    static const uint8_t expected[3] = {TI_VERDICT_BLOCK, TI_VERDICT_ALLOW, TI_VERDICT_LOG};
    for (int i = 0; i < MANY; i++) {
        HOLDS(decisions[i].verdict == expected[i % 3]);
        HOLDS(decisions[i].generation == decisions[0].generation);
    }
    addresses[MANY - 1].family = 99;
    HOLDS(ti_evaluate_many(engine, addresses, MANY, 0, decisions) == TI_MISUSED);
    HOLDS(decisions[0].verdict == 0 && decisions[MANY - 1].verdict == 0);
    HOLDS(ti_evaluate_many(engine, NULL, 0, 0, NULL) == TI_OK);
    HOLDS(ti_evaluate_many(engine, NULL, 1, 0, decisions) == TI_MISUSED);
    free(addresses);
    free(decisions);
}

static volatile int swapped_out;

static void *judge_until_swapped_out(void *engine) {
    uint64_t generation = 0;
    do {
        ti_decision decision;
        HOLDS(ti_evaluate_address(engine, LISTED, 4, 0, &decision) == TI_OK);
        HOLDS(decision.generation >= generation);
        generation = decision.generation;
        /* Odd generations block, even ones audit: a mixture of two would not. */
        uint8_t expected = generation % 2 == 1 ? TI_VERDICT_BLOCK : TI_VERDICT_LOG;
        HOLDS(decision.verdict == expected);
        HOLDS(ti_evaluate(engine, NULL, &decision) == TI_MISUSED && says("`request`"));
    } while (!__atomic_load_n(&swapped_out, __ATOMIC_ACQUIRE));
    return NULL;
}

static void threads_judge_while_another_swaps(void) {
    ti_inputs *block = inputs_of(BLOCK, "203.0.113.0/24\n");
    ti_inputs *audit = inputs_of(AUDIT, "203.0.113.0/24\n");
    ti_engine *engine = ti_engine_new(block, 0);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        HOLDS(pthread_create(&threads[i], NULL, judge_until_swapped_out, engine) == 0);
    for (int i = 0; i < 500; i++) {
        HOLDS(ti_engine_swap(engine, audit, 0) == TI_OK);
        HOLDS(verdict(engine, LISTED) == TI_VERDICT_LOG);
        HOLDS(ti_engine_swap_policy(engine, block) == TI_OK);
        HOLDS(verdict(engine, LISTED) == TI_VERDICT_BLOCK);
    }
    __atomic_store_n(&swapped_out, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ti_engine_free(engine);
    ti_inputs_free(block);
    ti_inputs_free(audit);
}

static int feed_pipe[2];
static pthread_t reader;

static void ignored(int signal) { (void)signal; }

/* Signals between the lines, of a handler without SA_RESTART. */
static void *write_slowly(void *nothing) {
    (void)nothing;
    for (int i = 0; i < 20; i++) {
        usleep(5000);
        pthread_kill(reader, SIGUSR1);
    }
    HOLDS(write(feed_pipe[1], LENGTH("203.0.113.0/24\n")) == 15);
    close(feed_pipe[1]);
    return NULL;
}

static void a_signal_does_not_end_a_feed(void) {
    struct sigaction action = {.sa_handler = ignored};
    HOLDS(sigaction(SIGUSR1, &action, NULL) == 0 && pipe(feed_pipe) == 0);
    reader = pthread_self();
    pthread_t writer;
    HOLDS(pthread_create(&writer, NULL, write_slowly, NULL) == 0);
    char path[32];
    snprintf(path, sizeof path, "/dev/fd/%d", feed_pipe[0]);
    ti_inputs *inputs = ti_inputs_new();
    HOLDS(ti_inputs_feed_file(inputs, "slow", path) == TI_OK);
    pthread_join(writer, NULL);
    close(feed_pipe[0]);
    ti_inputs_free(inputs);
}

int main(void) {
    HOLDS(ti_last_error()[0] == '\0');
    ti_inputs *inputs = inputs_of(BLOCK, "203.0.113.0/24\n");
    ti_engine *engine = ti_engine_new(inputs, 0);
    ti_inputs_free(inputs);
    HOLDS(engine != NULL && ti_engine_generation(engine) == 1);
    HOLDS(verdict(engine, LISTED) == TI_VERDICT_BLOCK);
    HOLDS(verdict(engine, UNLISTED) == TI_VERDICT_ALLOW);
    misuse_is_told(engine);
    what_does_not_fit_is_no_client(engine);
    a_refused_input_changes_nothing(engine);
    many_are_judged_by_one_generation(engine);
    ti_engine_free(engine);
    rejected_lines_are_named();
    a_policy_replaces_zones_and_what_names_them_at_once();
    entries_expire_with_the_moment_of_compiling();
    threads_judge_while_another_swaps();
    a_signal_does_not_end_a_feed();
    puts("every law holds");
    return 0;
}
