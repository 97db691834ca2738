/* Frees inputs twice, which AddressSanitizer must see. */
#include <threatinsight.h>

int main(void) {
    ti_inputs *inputs = ti_inputs_new();
    ti_inputs_free(inputs);
    ti_inputs_free(inputs);
    return 0;
}
