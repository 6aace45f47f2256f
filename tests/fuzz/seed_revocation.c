/* Valid inputs for each way into fuzz_revocation.c; the first byte names the way. */
#include "jwt_seeds.h"
#include "seeds.h"
#include "tests/support/feeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void seed_way(char way, const char *name, struct pep_span bytes)
{
    struct pep_buffer b = pep_buffer_of(1 << 20);
    pep_put_u8(&b, (uint8_t)way);
    pep_put_span(&b, bytes);
    seed_write(name, pep_buffer_span(&b));
    pep_buffer_free(&b);
}

static struct pep_span body_of(const struct pep_buffer *message)
{
    return pep_span_of(message->data, message->size - PEP_SIGNATURE_SIZE);
}

/* Steps from nothing, and the sets that they lead to. */
static void seed_lists(const struct fixture *f)
{
    struct pep_revocations *list = NULL;
    if (pep_revocations_none(&list) != PEP_OK)
        abort();
    for (int n = 1; n <= 3; n++) {
        char name[32], value[16];
        struct pep_buffer set = pep_buffer_of(PEP_REVOCATION_SET_MAX);
        snprintf(value, sizeof(value), "v%d", n);
        struct pep_revocation e =
            feeds_entry((enum pep_revocation_kind)n, "https://a", value, FIXTURE_EXPIRES);
        e.before = n == PEP_REVOKE_SUBJECT ? FIXTURE_CREATED : 0;
        struct pep_buffer step = feeds_step(list, FIXTURE_CREATED, &e, 1, f->policy_key);
        struct pep_revocations *next = feeds_follow(list, &step, f->root);
        pep_revocations_put_set(next, &set);
        snprintf(name, sizeof(name), "set-%d", n);
        seed_way('0', name, pep_buffer_span(&set));
        snprintf(name, sizeof(name), "message-%d", n);
        seed_way('1', name, pep_buffer_span(&step));
        snprintf(name, sizeof(name), "body-%d", n);
        seed_way('2', name, body_of(&step));
        pep_buffer_free(&step);
        pep_buffer_free(&set);
        pep_revocations_free(list);
        list = next;
    }
    struct pep_buffer entries = pep_buffer_of(PEP_REVOCATION_SET_MAX);
    pep_put_u64(&entries, (uint64_t)FIXTURE_NOW << 11);
    pep_revocations_put_set(list, &entries);
    seed_way('3', "entries", pep_buffer_span(&entries));
    pep_buffer_free(&entries);
    pep_revocations_free(list);
}

void seeds(void)
{
    struct fixture f = fixture_new();
    const struct feeds_keys two[] = {{"https://a", SEED_JWKS, FIXTURE_CREATED * 1000},
                                     {"https://b", "{\"keys\":[]}", 0}};
    struct feeds_keys_head head = {.seq = 7, .issued_at = FIXTURE_NOW * 1000};
    struct pep_buffer keys = feeds_keys(&head, two, 2, f.beacon_key);
    seed_lists(&f);
    seed_way('4', "jwks", pep_span_string(SEED_JWKS));
    seed_way(
        '4', "broken-key",
        pep_span_string("{\"keys\":[{\"kty\":\"RSA\"},{" SEED_ED_PUBLIC "},{\"kty\":\"oct\"},7]}"));
    seed_way('5', "keys", body_of(&keys));
    pep_buffer_free(&keys);
    fixture_free(&f);
}
