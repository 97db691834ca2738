/* Judges one chain by a feed and a policy:
 *
 *   judge FEED POLICY "client, proxy, peer"
 *
 * Prints the verdict and why; exits with 0 for allow and log, 1 for block, 2 for a failure.
 * Build: cc judge.c $(pkg-config --cflags --libs threatinsight) -o judge */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <threatinsight.h>

int main(int count, char **arguments) {
    static const char *const verdicts[] = {"none", "allow", "log", "block"};
    if (count != 4) {
        fprintf(stderr, "usage: judge FEED POLICY CHAIN\n");
        return 2;
    }
    ti_inputs *inputs = ti_inputs_new();
    ti_engine *engine = NULL;
    if (ti_inputs_feed_file(inputs, "feed", arguments[1]) == TI_OK &&
        ti_inputs_policy_file(inputs, arguments[2]) == TI_OK)
        engine = ti_engine_new(inputs, (uint64_t)time(NULL));
    ti_inputs_free(inputs);
    if (engine == NULL) {
        fprintf(stderr, "judge: %s\n", ti_last_error());
        return 2;
    }
    ti_text chain = {arguments[3], strlen(arguments[3])};
    ti_request request = {.syntax = TI_SYNTAX_CHAIN, .lines = &chain, .line_count = 1};
    ti_decision decision;
    char *why = NULL;
    int failed = ti_evaluate(engine, &request, &decision) || ti_explain(engine, &request, &why);
    if (failed)
        fprintf(stderr, "judge: %s\n", ti_last_error());
    else
        printf("%s\n%s\n", verdicts[decision.verdict], why);
    ti_string_free(why);
    ti_engine_free(engine);
    return failed ? 2 : decision.verdict == TI_VERDICT_BLOCK;
}
